"""The engine's error for each exception and status of Cosmos DB and its SDK."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from aiohttp import ClientError
from azure.core.exceptions import AzureError, ClientAuthenticationError, DecodeError
from azure.cosmos.exceptions import CosmosBatchOperationError, CosmosHttpResponseError

from core.errors import (
    ConfigurationError,
    ConflictError,
    CosmosError,
    NotFoundError,
    RejectedByCosmosError,
    ThrottledError,
    TransientError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_FIRST_ERROR = 400
_FAILED_DEPENDENCY = 424

_BY_STATUS: dict[int, type[CosmosError]] = {
    **dict.fromkeys((0, 408, 410, 500, 502, 503, 504), TransientError),
    **dict.fromkeys((429, 449), ThrottledError),
    **dict.fromkeys((401, 403), ConfigurationError),
    **dict.fromkeys((409, 412), ConflictError),
    404: NotFoundError,
}
"""The kinds of errors by status; 0 if there was no response. All others are rejections.

Source: HTTP status codes for Azure Cosmos DB (REST reference).
"""

_BY_SUB_STATUS: dict[tuple[int, int], type[CosmosError]] = {
    (403, 3): TransientError,  # the write region has moved
    (404, 1002): TransientError,  # the session has not arrived here
    (404, 1003): ConfigurationError,  # the container does not exist
    (400, 1001): ConfigurationError,  # the container has another partition key
    (403, 1014): RejectedByCosmosError,  # the logical partition has its 20 GB, others do not
}

_REMEDIES: dict[type[CosmosError], str] = {
    ConfigurationError: (
        "Check the connection's endpoint and key, or the identity's data-plane role, and that the "
        "database and its containers exist (`python -m admin init` creates them)."
    ),
    RejectedByCosmosError: "The request is invalid. Do not retry it unchanged.",
}


def kind_of(status: int, sub_status: int = 0) -> type[CosmosError]:
    """Return the kind of error that a status is, 0 if there was no response."""
    by_status = _BY_STATUS.get(status, RejectedByCosmosError)
    return _BY_SUB_STATUS.get((status, sub_status), by_status)


@contextmanager
def translate_errors(
    action: str, *, not_found: type[CosmosError] = ConfigurationError
) -> Iterator[None]:
    """Turn every exception of the SDK and its transport into one of the engine's errors.

    Args:
        action: A description for the error, as in "writing 7 events into stream followship-4f1e".
        not_found: The error for a plain 404: by default a missing container, NotFoundError where
            the request is for a document.

    Raises:
        CosmosError: If the body raises a foreign exception.
    """
    try:
        yield
    except (AzureError, ClientError, asyncio.TimeoutError, OSError) as error:
        status, sub_status = _status_of(error)
        answer = f"returned {status}" if status else f"did not respond ({type(error).__name__})"
        kind = kind_of(status, sub_status)
        raise _error(
            not_found if kind is NotFoundError else kind,
            f"Cosmos DB {answer}",
            action,
            status=status,
            sub_status=sub_status,
            retry_after=_retry_after_of(error),
        ) from error


def operation_error(
    action: str, status: int, sub_status: int = 0, retry_after: float | None = None
) -> CosmosError:
    """Return the error for the status of one operation in a bulk request."""
    kind = kind_of(status, sub_status)
    return _error(
        ConfigurationError if kind is NotFoundError else kind,
        f"Cosmos DB returned {status} for one of them",
        action,
        status=status,
        sub_status=sub_status,
        retry_after=retry_after,
    )


def _error(
    kind: type[CosmosError],
    answer: str,
    action: str,
    *,
    status: int,
    sub_status: int,
    retry_after: float | None,
) -> CosmosError:
    remedy = _REMEDIES.get(kind, "" if status else "Check that the endpoint can be reached.")
    detail = f" (sub-status {sub_status})" if sub_status else ""
    message = f"{answer}{detail} while {action}. {remedy}".rstrip()
    if kind is ThrottledError:
        return ThrottledError(
            message, status=status, sub_status=sub_status, retry_after=retry_after
        )
    return kind(message, status=status, sub_status=sub_status)


def _status_of(error: Exception) -> tuple[int, int]:
    if isinstance(error, CosmosBatchOperationError):
        failed = _failed_operation(error)
        status = int(failed.get("statusCode", error.status_code))
        return status, int(failed.get("subStatusCode") or 0)
    if isinstance(error, CosmosHttpResponseError):
        return int(error.status_code or 0), int(error.sub_status or 0)
    if isinstance(error, ClientAuthenticationError):
        return 401, 0
    if isinstance(error, DecodeError):
        return 0, 0
    return int(getattr(error, "status_code", None) or 0), 0


def _failed_operation(error: CosmosBatchOperationError) -> Mapping[str, Any]:
    """Return the operation that made the batch fail, on which the others depended."""
    failed = [
        result
        for result in error.operation_responses or ()
        if int(result.get("statusCode", 0)) >= _FIRST_ERROR
        and int(result["statusCode"]) != _FAILED_DEPENDENCY
    ]
    return failed[0] if failed else {}


def _retry_after_of(error: Exception) -> float | None:
    if isinstance(error, CosmosBatchOperationError):
        milliseconds = _failed_operation(error).get("retryAfterMilliseconds")
        if milliseconds is not None:
            return float(milliseconds) / 1000
    headers: Mapping[str, Any] = getattr(error, "headers", None) or {}
    retry_after = headers.get("x-ms-retry-after-ms")
    return None if retry_after is None else float(retry_after) / 1000
