"""Requests of the azure-cosmos SDK, with a timeout and with the engine's own errors."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar

from core.cosmos.errors import translate_errors
from core.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Awaitable, Mapping

    from core.errors import CosmosError

ResultT = TypeVar("ResultT")
ItemT = TypeVar("ItemT")

REQUEST_TIMEOUT_SECONDS = 20.0
"""Seconds until a request that got no answer is given up and sent again."""

QUERY_TIMEOUT_SECONDS = 60.0
"""Seconds until a query over many pages is given up."""


async def run_request(
    doing: str,
    request: Awaitable[ResultT],
    *,
    absent: type[CosmosError] = ConfigurationError,
    seconds: float = REQUEST_TIMEOUT_SECONDS,
) -> ResultT:
    """The SDK's answer to a request, waited for so long and no longer.

    The SDK may wait for ever: its time-outs are for single reads of a socket, and where a read of
    the partition key ranges is answered with 410 it waits for a lock that it holds itself.

    Args:
        doing: As `translate_errors`.
        request: What the SDK is asked.
        absent: As `translate_errors`.
        seconds: After which there is no answer.

    Raises:
        CosmosError: As `translate_errors`.
    """
    with translate_errors(doing, absent=absent):
        return await asyncio.wait_for(request, seconds)


async def fetch_all(
    doing: str, items: AsyncIterable[ItemT], *, seconds: float = QUERY_TIMEOUT_SECONDS
) -> list[ItemT]:
    """All items of a query or a list, waited for likewise.

    Raises:
        CosmosError: As `translate_errors`.
    """

    async def read() -> list[ItemT]:
        return [item async for item in items]

    return await run_request(doing, read(), seconds=seconds)


def request_charge(headers: Mapping[str, Any]) -> float:
    """Request units that an answer cost."""
    return float(headers.get("x-ms-request-charge", 0))
