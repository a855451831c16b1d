"""Requests of the azure-cosmos SDK, with a timeout and with the engine's own errors."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar

from core.cosmos.errors import cosmos_errors
from core.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Awaitable, Mapping

    from core.errors import CosmosError

ResultT = TypeVar("ResultT")
ItemT = TypeVar("ItemT")

LONGEST_REQUEST = 20.0
"""Seconds until a request that got no answer is given up and sent again."""

LONGEST_LISTING = 60.0
"""Seconds until a query over many pages is given up."""


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
