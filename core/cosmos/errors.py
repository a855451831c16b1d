"""The engine's own error for each exception and status of Cosmos DB and its SDK."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from aiohttp import ClientError
from azure.core.exceptions import AzureError, ClientAuthenticationError, DecodeError
from azure.cosmos.exceptions import CosmosBatchOperationError, CosmosHttpResponseError

from core.cosmos.failures import Failure, classify
from core.errors import (
    ConfigurationError,
    ConflictError,
    CosmosError,
    RejectedByCosmosError,
    ThrottledError,
    TransientError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_FAILED_DEPENDENCY = 424

_REMEDIES = {
    Failure.CONFIGURATION: (
        "Check the connection's endpoint and key, or the identity's data-plane role, and that the "
        "database and its containers exist (`python -m admin init` creates them)."
    ),
    Failure.REFUSED: "The request itself is at fault; sending it again will not help.",
}


@contextmanager
def translate_errors(
    doing: str, *, absent: type[CosmosError] = ConfigurationError
) -> Iterator[None]:
    """Turn whatever SDK or transport raise into one of our errors, which says what was being done.

    Args:
        doing: As in "writing 7 events into stream followship-4f1e".
        absent: What a plain 404 means here: a missing document where one is read by id,
            otherwise a missing container.

    Raises:
        CosmosError: In the most specific form.
    """
    try:
        yield
    except (AzureError, ClientError, asyncio.TimeoutError, OSError) as error:
        raise _translate(doing, error, absent) from error


def _translate(doing: str, error: Exception, absent: type[CosmosError]) -> CosmosError:
    status, sub_status = _status_of(error)
    answer = f"Cosmos DB answered {status}" if status else f"no answer ({type(error).__name__})"
    return _error(f"While {doing}: {answer}", status, sub_status, _hint_of(error), absent)


def operation_error(
    doing: str, status: int, sub_status: int = 0, retry_after: float | None = None
) -> CosmosError:
    """What the status of one operation among many means, as `translate_errors` for a request.

    Args:
        doing: As there.
        status: HTTP status.
        sub_status: Cosmos sub-status.
        retry_after: Seconds to wait, where the service says.
    """
    answer = f"While {doing}: Cosmos DB answered {status} to one of them"
    return _error(answer, status, sub_status, retry_after, ConfigurationError)


def _error(
    answer: str,
    status: int,
    sub_status: int,
    retry_after: float | None,
    absent: type[CosmosError],
) -> CosmosError:
    failure = classify(status, sub_status)
    if failure is Failure.NOT_FOUND and absent is ConfigurationError:
        failure = Failure.CONFIGURATION
    remedy = _REMEDIES.get(failure, "" if status else "Check that the endpoint can be reached.")
    message = f"{answer}{f'/{sub_status}' if sub_status else ''}. {remedy}".rstrip()
    if failure is Failure.THROTTLED:
        return ThrottledError(
            message, status=status, sub_status=sub_status, retry_after=retry_after
        )
    kinds: dict[Failure, type[CosmosError]] = {
        Failure.TRANSIENT: TransientError,
        Failure.CONFIGURATION: ConfigurationError,
        Failure.CONFLICT: ConflictError,
        Failure.NOT_FOUND: absent,
        Failure.REFUSED: RejectedByCosmosError,
    }
    return kinds[failure](message, status=status, sub_status=sub_status)


def _status_of(error: Exception) -> tuple[int, int]:
    if isinstance(error, CosmosBatchOperationError):
        failed = _failed_operation(error)
        return int(failed.get("statusCode", error.status_code)), int(
            failed.get("subStatusCode") or 0
        )
    if isinstance(error, CosmosHttpResponseError):
        return int(error.status_code or 0), int(error.sub_status or 0)
    if isinstance(error, ClientAuthenticationError):
        return 401, 0
    if isinstance(error, DecodeError):
        return 0, 0
    return int(getattr(error, "status_code", None) or 0), 0


def _failed_operation(error: CosmosBatchOperationError) -> Mapping[str, Any]:
    """The operation that made the batch fail; the others only say that they depended on it."""
    failed = [
        each
        for each in error.operation_responses or ()
        if int(each.get("statusCode", 0)) >= 400  # noqa: PLR2004 - HTTP: an error
        and int(each["statusCode"]) != _FAILED_DEPENDENCY
    ]
    return failed[0] if failed else {}


def _hint_of(error: Exception) -> float | None:
    if isinstance(error, CosmosBatchOperationError):
        milliseconds = _failed_operation(error).get("retryAfterMilliseconds")
        if milliseconds is not None:
            return float(milliseconds) / 1000
    headers: Mapping[str, Any] = getattr(error, "headers", None) or {}
    hint = headers.get("x-ms-retry-after-ms")
    return None if hint is None else float(hint) / 1000
