"""The seam to the azure-cosmos SDK: how a client is opened, and what its exceptions mean here."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.request import getproxies_environment

from aiohttp import ClientError
from azure.core.exceptions import AzureError, ClientAuthenticationError, DecodeError
from azure.core.pipeline.transport import AioHttpTransport
from azure.cosmos.aio import CosmosClient
from azure.cosmos.exceptions import CosmosBatchOperationError, CosmosHttpResponseError

from core.errors import (
    ConfigurationError,
    ConflictError,
    CosmosError,
    RefusedByCosmosError,
    ThrottledError,
    TransientError,
)
from core.rules.failures import Failure, classify

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Iterator, Mapping

    from core.settings import Connection

ResultT = TypeVar("ResultT")
ItemT = TypeVar("ItemT")

LONGEST_REQUEST = 20.0
"""Seconds until a request that got no answer is given up and sent again."""

LONGEST_LISTING = 60.0
"""Seconds until a query over many pages is given up."""

_CONNECT_TIMEOUT = 5
_FAILED_DEPENDENCY = 424

_REMEDIES = {
    Failure.CONFIGURATION: (
        "Check the connection's endpoint and key, or the identity's data-plane role, and that the "
        "database and its containers exist (`python -m admin init` creates them)."
    ),
    Failure.REFUSED: "The request itself is at fault; sending it again will not help.",
}


class Client(CosmosClient):
    """The SDK's client as this project uses it; nothing is sent until it is used.

    The SDK's own retries are off: one layer owns retrying. `retry_throttle_total=0` would be
    taken for "not given", hence -1.
    """

    def __init__(self, connection: Connection) -> None:
        self._identity = None if connection.key else _identity(connection)
        credential: Any = connection.key.get_secret_value() if connection.key else self._identity
        super().__init__(
            connection.endpoint,
            credential=credential,
            retry_throttle_total=-1,
            retry_total=0,
            retry_connect=0,
            retry_read=0,
            retry_status=0,
            connection_timeout=_CONNECT_TIMEOUT,
            read_timeout=LONGEST_REQUEST,
            connection_verify=connection.verify_certificate,
            no_response_on_write=True,
            # Reading ~/.netrc and the environment anew for each request takes a third of its time.
            transport=AioHttpTransport(use_env_settings=bool(getproxies_environment())),
            user_agent_suffix="event-projections",
        )

    async def close(self) -> None:
        """Close the connections, and those of the identity."""
        await super().close()
        if self._identity is not None:
            await self._identity.close()


@asynccontextmanager
async def opened_client(connection: Connection) -> AsyncIterator[CosmosClient]:
    """A client for as long as it is used; closed whatever happens."""
    client = Client(connection)
    try:
        yield client
    finally:
        await client.close()


@contextmanager
def cosmos_errors(doing: str, *, absent: type[CosmosError] = ConfigurationError) -> Iterator[None]:
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


async def answered(
    doing: str,
    request: Awaitable[ResultT],
    *,
    absent: type[CosmosError] = ConfigurationError,
    seconds: float = LONGEST_REQUEST,
) -> ResultT:
    """The SDK's answer to a request, waited for so long and no longer.

    The SDK may wait for ever: its time-outs are for single reads of a socket, and where a read of
    the partition key ranges is answered with 410 it waits for a lock that it holds itself.

    Args:
        doing: As `cosmos_errors`.
        request: What the SDK is asked.
        absent: As `cosmos_errors`.
        seconds: After which there is no answer.

    Raises:
        CosmosError: As `cosmos_errors`.
    """
    with cosmos_errors(doing, absent=absent):
        return await asyncio.wait_for(request, seconds)


async def listed(
    doing: str, items: AsyncIterable[ItemT], *, seconds: float = LONGEST_LISTING
) -> list[ItemT]:
    """All items of a query or a list, waited for likewise.

    Raises:
        CosmosError: As `cosmos_errors`.
    """

    async def read() -> list[ItemT]:
        return [item async for item in items]

    return await answered(doing, read(), seconds=seconds)


def charge_of(headers: Mapping[str, Any]) -> float:
    """Request units that an answer cost."""
    return float(headers.get("x-ms-request-charge", 0))


def _identity(connection: Connection) -> Any:  # noqa: ANN401 - its library is loaded only here
    # Loaded only where it is used: it is a third of a cold start.
    from azure.identity.aio import DefaultAzureCredential  # noqa: PLC0415

    return DefaultAzureCredential(managed_identity_client_id=connection.client_id)


def _translate(doing: str, error: Exception, absent: type[CosmosError]) -> CosmosError:
    status, sub_status = _status_of(error)
    answer = f"Cosmos DB answered {status}" if status else f"no answer ({type(error).__name__})"
    return _error(f"While {doing}: {answer}", status, sub_status, _hint_of(error), absent)


def refusal(
    doing: str, status: int, sub_status: int = 0, retry_after: float | None = None
) -> CosmosError:
    """What the status of one operation among many means, as `cosmos_errors` for a request.

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
        Failure.REFUSED: RefusedByCosmosError,
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
