"""Errors as problem documents (RFC 9457)."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from core.errors import (
    DeadlineExceededError,
    EngineError,
    IdempotencyKeyReusedError,
    InvalidRequestError,
    RequestTooLargeError,
    ThrottledError,
    TransientError,
    UnknownResourceError,
)

MEDIA_TYPE = "application/problem+json"

_STATUSES: dict[type[EngineError], HTTPStatus] = {
    UnknownResourceError: HTTPStatus.NOT_FOUND,
    InvalidRequestError: HTTPStatus.BAD_REQUEST,
    RequestTooLargeError: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    IdempotencyKeyReusedError: HTTPStatus.UNPROCESSABLE_ENTITY,
    DeadlineExceededError: HTTPStatus.SERVICE_UNAVAILABLE,
    ThrottledError: HTTPStatus.SERVICE_UNAVAILABLE,
    TransientError: HTTPStatus.SERVICE_UNAVAILABLE,
}


@dataclass(frozen=True, kw_only=True)
class Problem:
    """A problem document: `status`, `title`, `detail`, and the fields at fault.

    `type` is left out, which RFC 9457 section 4.2.1 reads as "about:blank": the status tells all.
    """

    status: HTTPStatus
    detail: str
    errors: tuple[dict[str, str], ...] = ()

    def body(self) -> dict[str, Any]:
        """The document's members; `errors` has one entry for each field."""
        members: dict[str, Any] = {
            "title": self.status.phrase,
            "status": int(self.status),
            "detail": self.detail,
        }
        if self.errors:
            members["errors"] = list(self.errors)
        return members


def to_problem(error: EngineError) -> Problem:
    """What a caller is told of an error.

    Callers learn what they did wrong, and whether to try again; what is wrong on our side is
    for the log.
    """
    status = next(
        (_STATUSES[kind] for kind in type(error).__mro__ if kind in _STATUSES),
        HTTPStatus.INTERNAL_SERVER_ERROR,
    )
    if status is HTTPStatus.INTERNAL_SERVER_ERROR:
        return Problem(status=status, detail="The application is at fault; its log says more.")
    if status is HTTPStatus.SERVICE_UNAVAILABLE:
        return Problem(status=status, detail="Cosmos DB did not take it in time; try again.")
    fields = error.errors if isinstance(error, InvalidRequestError) else ()
    return Problem(
        status=status,
        detail=str(error),
        errors=tuple({"field": each.field, "problem": each.detail} for each in fields),
    )
