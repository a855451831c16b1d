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
    """A problem document with `status`, `title`, `detail` and the invalid fields.

    `type` is left out, which RFC 9457 section 4.2.1 reads as "about:blank": the status suffices.
    """

    status: HTTPStatus
    detail: str
    errors: tuple[dict[str, str], ...] = ()

    def body(self) -> dict[str, Any]:
        """Return the members of the document, of which `errors` has one entry for each field."""
        members: dict[str, Any] = {
            "title": self.status.phrase,
            "status": int(self.status),
            "detail": self.detail,
        }
        if self.errors:
            members["errors"] = list(self.errors)
        return members


def to_problem(error: EngineError) -> Problem:
    """Return the problem document of an error.

    It shows what is wrong with the request, and whether to retry it. Internal errors are for the
    log only.
    """
    status = next(
        (_STATUSES[kind] for kind in type(error).__mro__ if kind in _STATUSES),
        HTTPStatus.INTERNAL_SERVER_ERROR,
    )
    if status is HTTPStatus.INTERNAL_SERVER_ERROR:
        return Problem(status=status, detail="Internal error. See the application log.")
    if status is HTTPStatus.SERVICE_UNAVAILABLE:
        return Problem(status=status, detail="Cosmos DB did not respond in time. Retry later.")
    fields = error.errors if isinstance(error, InvalidRequestError) else ()
    return Problem(
        status=status,
        detail=str(error),
        errors=tuple({"field": one.field, "detail": one.detail} for one in fields),
    )
