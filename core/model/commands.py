"""Commands: requests that append events."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from core.errors import FieldError, InvalidRequestError, RequestTooLargeError
from core.model.names import snake_case

if TYPE_CHECKING:
    from collections.abc import Iterable

    from core.model.events import Event

ModelT = TypeVar("ModelT", bound=BaseModel)

MAX_BODY = 1024 * 1024
"""Bytes of a request's body."""

_LONGEST_TEXT = 65_536


class Command(BaseModel):
    """A request; declare its fields, and what it appends in `handle`.

        class Follow(Command):                  # POST /api/commands/follow
            user_id: UUID
            to_follow: UUID

            def handle(self) -> Iterator[Event]:
                yield Followed(user_id=self.user_id, to_follow=self.to_follow)

    All events of one command belong to one stream and are appended together or not at all; what
    must happen in other streams is a projection's work. `handle` may raise `Refused`.
    Text fields take at most 65,536 characters unless they say otherwise.
    """

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        str_max_length=_LONGEST_TEXT,
        allow_inf_nan=False,
    )

    def handle(self) -> Iterable[Event]:
        """The events that the command appends, in order.

        Raises:
            Refused: The command will not be done.
        """
        raise NotImplementedError


def command_name(command: type[Command]) -> str:
    """The command's name in its route: `Follow` -> `follow`."""
    return snake_case(command.__name__)


def parse_command(model: type[Command], body: bytes) -> Command:
    """The JSON body as a command.

    Raises:
        RequestTooLargeError: The body is over 1 MB.
        InvalidRequestError: It is no JSON or does not fit; every field at fault is named.
    """
    return parse_body(model, body, f"command {command_name(model)!r}")


def parse_body(model: type[ModelT], body: bytes, what: str) -> ModelT:
    """A request's JSON body as a model; `what` is for the error.

    Raises:
        RequestTooLargeError: The body is over 1 MB.
        InvalidRequestError: It is no JSON or does not fit; every field at fault is named.
    """
    if len(body) > MAX_BODY:
        raise RequestTooLargeError(f"The body has {len(body)} bytes; up to {MAX_BODY} are read.")
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        raise InvalidRequestError(f"The body does not fit {what}.", *field_errors(error)) from None


def field_errors(error: ValidationError) -> list[FieldError]:
    """The fields at fault and why, without the values that were found."""
    return [
        FieldError(field=".".join(map(str, detail["loc"])), detail=detail["msg"])
        for detail in error.errors(include_url=False, include_input=False, include_context=False)
    ]
