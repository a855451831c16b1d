"""Errors as problem documents (RFC 9457)."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from pydantic import ConfigDict
from pydantic_core import to_jsonable_python

from core.camel_model import CamelModel
from core.errors import (
    Conflict,
    DeadlineExceededError,
    EngineError,
    FieldError,
    IdempotencyKeyReusedError,
    InvalidRequestError,
    NotFound,
    PositionConflictError,
    PositionNotReachedError,
    Refused,
    RequestError,
    RequestTooLargeError,
    ThrottledError,
    TransientError,
    UnknownResourceError,
    UnreadableEventError,
)

MEDIA_TYPE = "application/problem+json"

_STATUSES: dict[type[EngineError], HTTPStatus] = {
    UnknownResourceError: HTTPStatus.NOT_FOUND,
    InvalidRequestError: HTTPStatus.BAD_REQUEST,
    Refused: HTTPStatus.UNPROCESSABLE_ENTITY,
    Conflict: HTTPStatus.CONFLICT,
    NotFound: HTTPStatus.NOT_FOUND,
    RequestTooLargeError: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    IdempotencyKeyReusedError: HTTPStatus.UNPROCESSABLE_ENTITY,
    PositionConflictError: HTTPStatus.PRECONDITION_FAILED,
    PositionNotReachedError: HTTPStatus.SERVICE_UNAVAILABLE,
    DeadlineExceededError: HTTPStatus.SERVICE_UNAVAILABLE,
    ThrottledError: HTTPStatus.SERVICE_UNAVAILABLE,
    TransientError: HTTPStatus.SERVICE_UNAVAILABLE,
}

_INTERNAL = {
    HTTPStatus.INTERNAL_SERVER_ERROR: "Internal error. See the application log.",
    HTTPStatus.SERVICE_UNAVAILABLE: "Cosmos DB did not respond in time. Retry later.",
}
"""The details in place of internal errors, by status."""


class Problem(CamelModel):
    """A problem document (RFC 9457).

    Most have no `type`, which RFC 9457 section 4.2.1 reads as "about:blank". What a command tells
    of its refusal are further members.
    """

    model_config = ConfigDict(extra="allow")

    type: str = ""
    """The kind of problem, left out if the status suffices."""

    title: str
    """The phrase of the status."""

    status: int
    """The status of the response."""

    detail: str
    """What is wrong, and what to do."""

    instance: str = ""
    """The id of the error in the log, left out if the error is one of the request."""

    errors: tuple[FieldError, ...] = ()
    """The invalid fields, left out if there are none."""

    event_id: str = ""
    """The id of the event that cannot be read, left out otherwise."""

    event_type: str = ""
    """The type of that event, left out otherwise."""

    def to_dict(self) -> dict[str, Any]:
        """Return the members of the document."""
        return self.model_dump(mode="json", by_alias=True, exclude_defaults=True)


def to_problem(error: Exception, *, instance: str = "") -> Problem:
    """Return the problem document of an error.

    It shows what is wrong with the request, and whether to retry it. Internal errors are for the
    log only, where the instance is their id.
    """
    if isinstance(error, UnreadableEventError):
        return _unreadable_event(error, instance)
    status = next(
        (_STATUSES[kind] for kind in type(error).__mro__ if kind in _STATUSES),
        HTTPStatus.INTERNAL_SERVER_ERROR,
    )
    if isinstance(error, Refused):
        return _refusal(error, status)
    is_internal = status in _INTERNAL and not isinstance(error, RequestError)
    fields = error.errors if isinstance(error, InvalidRequestError) else ()
    return Problem(
        title=status.phrase,
        status=int(status),
        detail=_INTERNAL[status] if is_internal else str(error),
        instance=instance if is_internal else "",
        errors=fields,
    )


def _refusal(error: Refused, status: HTTPStatus) -> Problem:
    members = {
        "type": f"/problems/{error.kind}",
        "title": error.title,
        "status": int(status),
        "detail": str(error),
        "errors": error.errors,
    }
    return Problem.model_validate({**to_jsonable_python(error.facts), **members})


def _unreadable_event(error: UnreadableEventError, instance: str) -> Problem:
    return Problem(
        type="/problems/unreadable_event",
        title="Unreadable event",
        status=int(HTTPStatus.INTERNAL_SERVER_ERROR),
        detail=str(error),
        instance=instance,
        event_id=error.event_id,
        event_type=error.event_type,
    )
