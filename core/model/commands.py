"""Commands: requests that append events."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import from_json

from core.errors import FieldError, InvalidRequestError, RequestTooLargeError
from core.model.named_models import NamedModel

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from core.model.events import Event

ModelT = TypeVar("ModelT", bound=BaseModel)

MAX_BODY_BYTES = 1024 * 1024
"""The bytes of a request's body."""

_MAX_TEXT_LENGTH = 65_536

_MAY_BE_UNBOUNDED = re.compile(rb"NaN|Infinity|\d{17}|[\s\[:,]-?\d[\d.]*[eE]\+?\d\d")
"""What a body contains if one of its numbers is not finite; most have none of it."""


class Command(NamedModel):
    """A request that appends events, declared by its fields and by `handle`.

        class Follow(Command):                  # POST /api/commands/follow
            user_id: UUID
            to_follow: UUID

            def handle(self) -> Iterator[Event]:
                yield Followed(user_id=self.user_id, to_follow=self.to_follow)

    All events of one command belong to one stream and are appended together or not at all. What
    must happen in other streams is the work of a projection. `handle` may raise `Refused`. A text
    field takes up to 65,536 characters unless it declares another limit.
    """

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        str_max_length=_MAX_TEXT_LENGTH,
        allow_inf_nan=False,
    )

    def handle(self, *args: Any, **kwargs: Any) -> Iterable[Event]:  # noqa: ANN401 - see below
        """Return the events that the command appends, in order.

        A command may take the entity that it decides on, and `now: datetime`. Type checkers let
        this signature be overridden by any.

        Raises:
            Refused: If the command rejects the request.
        """
        raise NotImplementedError


def parse_command(model: type[Command], body: bytes) -> Command:
    """Return the command of a JSON body.

    Raises:
        RequestTooLargeError: If the body is over 1 MB.
        InvalidRequestError: If it is not JSON or not valid, with every invalid field.
    """
    return parse_body(model, body, f"command {model.stored_name!r}")


def parse_body(model: type[ModelT], body: bytes, name: str) -> ModelT:
    """Return the model of a JSON body, in which nested models are as strict as the model itself.

    Args:
        model: The model.
        body: The body of the request.
        name: A description of the model for the error.

    Raises:
        RequestTooLargeError: If the body is over 1 MB.
        InvalidRequestError: If it is not JSON or not valid, with every invalid field.
    """
    if len(body) > MAX_BODY_BYTES:
        raise RequestTooLargeError(
            f"The request body has {len(body)} bytes; the limit is {MAX_BODY_BYTES}."
        )
    config = model.model_config  # which pydantic does not apply to nested models by itself
    try:
        parsed = model.model_validate_json(
            body, strict=config.get("strict"), extra=config.get("extra")
        )
        has_unbounded = _MAY_BE_UNBOUNDED.search(body)
        errors = list(_unbounded_numbers(from_json(body))) if has_unbounded else []
    except ValidationError as error:
        errors = field_errors(error)
    if errors:
        raise InvalidRequestError(f"The request body is not a valid {name}.", *errors)
    return parsed


def _unbounded_numbers(value: object, *path: object) -> Iterator[FieldError]:
    """Return the errors of the numbers that JSON does not have, or that a double cannot hold."""
    if isinstance(value, dict):
        for key, member in value.items():
            yield from _unbounded_numbers(member, *path, key)
    elif isinstance(value, list):
        for index, member in enumerate(value):
            yield from _unbounded_numbers(member, *path, index)
    elif isinstance(value, (int, float)) and not abs(value) <= sys.float_info.max:
        yield FieldError(field=".".join(map(str, path)), detail="Input should be a finite number")


def field_errors(error: ValidationError) -> list[FieldError]:
    """Return the invalid fields with their errors, without their values."""
    return [
        FieldError(field=".".join(map(str, detail["loc"])), detail=detail["msg"])
        for detail in error.errors(include_url=False, include_input=False, include_context=False)
    ]
