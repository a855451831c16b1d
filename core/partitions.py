"""Which physical partition a stream lies in."""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING, Any, TypeVar

from core.cosmos import answered, listed
from core.errors import ThrottledError, TransientError
from core.retrying import Effort

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from azure.cosmos.aio import ContainerProxy

    from core.budget import Budget
    from core.retrying import Retrier

ResultT = TypeVar("ResultT")

_METADATA = "metadata"
_REFRESH_SECONDS = 5.0
_REMEMBERED = 100_000
"""Streams whose place in the key space is remembered; computing one takes about 0.1 ms."""


class PartitionMap:
    """Tells the physical partition of a stream, by effective partition key.

    The answer is for pacing only: after a split it may be out of date until `refresh`, and
    nothing but the pace depends on it.

    Args:
        container: The container that is partitioned.
        retrier: Tries again.
    """

    def __init__(self, container: ContainerProxy, retrier: Retrier) -> None:
        self._container = container
        self._retrier = retrier
        self._starts: list[str] = []
        self._places: dict[str, str] = {}

    async def locate(self, stream_id: str, budget: Budget) -> str:
        """The physical partition of the stream, named by the start of its key range.

        Raises:
            BudgetSpentError: Time ran out.
            CosmosError: It cannot be told.
        """
        if not self._starts:
            await self._run(self.refresh, budget)
        if len(self._starts) == 1:
            return self._starts[0]
        place = self._places.get(stream_id)
        if place is None:
            try:  # it is arithmetic, but for what the SDK may have to read for it
                place = await self._place(stream_id)
            except (ThrottledError, TransientError):
                place = await self._run(lambda: self._place(stream_id), budget)
        return self._starts[max(bisect_right(self._starts, place) - 1, 0)]

    async def refresh(self) -> None:
        """Read the physical partitions anew.

        Raises:
            CosmosError: They cannot be read.
        """
        ranges = await listed(
            "reading the physical partitions",
            self._container.read_feed_ranges(force_refresh=True),
            seconds=_REFRESH_SECONDS,
        )
        self._starts = sorted(_minimum(each) for each in ranges)

    async def _run(self, operation: Callable[[], Awaitable[ResultT]], budget: Budget) -> ResultT:
        return await self._retrier.run(
            operation, partition=_METADATA, budget=budget, effort=Effort()
        )

    async def _place(self, stream_id: str) -> str:
        feed_range = await answered(
            f"locating stream {stream_id}", self._container.feed_range_from_partition_key(stream_id)
        )
        if len(self._places) >= _REMEMBERED:
            self._places.clear()
        self._places[stream_id] = _minimum(feed_range)
        return self._places[stream_id]


def _minimum(feed_range: dict[str, Any]) -> str:
    return str(feed_range["Range"]["min"])
