"""Which physical partition a stream lies in."""

from __future__ import annotations

import asyncio
import json
from bisect import bisect_right
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from core.cosmos.key_ranges import effective_partition_key
from core.cosmos.requests import fetch_all, run_request
from core.cosmos.retrying import RequestStats, held

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from azure.cosmos.aio import ContainerProxy

    from core.cosmos.retrying import Retrier
    from core.throttling.deadline import Deadline

ResultT = TypeVar("ResultT")

_METADATA = "metadata"
_OK = 200
_REFRESH_SECONDS = 5.0
_LOOKS = 3
"""How often they are read for the ids: what another caller of the SDK has just read, and keeps, is
not in an answer that we see."""

_REMEMBERED = 100_000
"""Streams whose place the SDK was asked for that are remembered."""


class Partition(NamedTuple):
    """A physical partition: where its key range begins, and its id, if that is known."""

    start: str
    id: str | None = None


class PartitionMap:
    """Tells the physical partition of a stream, by effective partition key.

    After a split the answer is out of date until `refresh`. Correctness does not depend on it: a
    request to a partition that is gone, or that is not the stream's, is refused (410).

    Args:
        container: The container that is partitioned.
        retrier: Tries again.
    """

    def __init__(self, container: ContainerProxy, retrier: Retrier) -> None:
        self._container = container
        self._retrier = retrier
        self._starts: list[str] = []
        self._partitions: list[Partition] = []
        self._ids: dict[tuple[str, str], str] = {}
        self._places: dict[str, str] = {}
        self._agrees = False
        self._asking = asyncio.Lock()

    def find(self, stream_id: str) -> Partition | None:
        """The physical partition of the stream, where that needs no request."""
        if len(self._starts) == 1:
            return self._partitions[0]
        return (
            self._at(effective_partition_key(stream_id)) if self._agrees and self._starts else None
        )

    async def locate(self, stream_id: str, deadline: Deadline) -> Partition:
        """The physical partition of the stream; many who ask at once are one question.

        Raises:
            DeadlineExceededError: Time ran out.
            CosmosError: It cannot be told.
        """
        found = self.find(stream_id)
        if found is None:
            async with held(self._asking, deadline):
                if not self._starts:
                    await self.renew(deadline)
                found = self.find(stream_id) or self._at(await self._place(stream_id, deadline))
        return found

    def _at(self, place: str) -> Partition:
        return self._partitions[max(bisect_right(self._starts, place) - 1, 0)]

    async def renew(self, deadline: Deadline) -> None:
        """Read the physical partitions anew, as often as it takes.

        Raises:
            DeadlineExceededError: Time ran out.
            CosmosError: They cannot be read.
        """
        await self._run(self.refresh, deadline)

    async def refresh(self) -> None:
        """Read the physical partitions anew.

        Raises:
            CosmosError: They cannot be read.
        """
        for _ in range(_LOOKS):
            borders = await self._borders()
            if all(each in self._ids for each in borders):
                break
        self._partitions = [Partition(low, self._ids.get((low, high))) for low, high in borders]
        self._starts = [low for low, _ in borders]

    async def _borders(self) -> list[tuple[str, str]]:
        ranges = await fetch_all(
            "reading the physical partitions",
            self._container.read_feed_ranges(force_refresh=True, raw_response_hook=self._note_ids),
            seconds=_REFRESH_SECONDS,
        )
        return sorted((each["Range"]["min"], each["Range"]["max"]) for each in ranges)

    def _note_ids(self, response: Any) -> None:  # noqa: ANN401 - azure-core's pipeline response
        """An answer holds only what is new since the last one, hence all are kept."""
        self._ids.update(range_ids(response))

    async def _run(
        self, operation: Callable[[], Awaitable[ResultT]], deadline: Deadline
    ) -> ResultT:
        return await self._retrier.run(
            lambda _: operation(), partition=_METADATA, deadline=deadline, effort=RequestStats()
        )

    async def _place(self, stream_id: str, deadline: Deadline) -> str:
        """The SDK's answer, which tells whether ours, forty times as fast, is the same.

        It is another one where the container's keys are hashed in the way of before 2019.
        """
        if stream_id in self._places:
            return self._places[stream_id]

        async def ask() -> str:
            doing = f"locating stream {stream_id}"
            found = await run_request(
                doing, self._container.feed_range_from_partition_key(stream_id)
            )
            return str(found["Range"]["min"])

        found = await self._run(ask, deadline)
        if len(self._places) >= _REMEMBERED:
            self._places.clear()
        self._places[stream_id] = found
        self._agrees = effective_partition_key(stream_id) == found
        return found


def range_ids(response: Any) -> dict[tuple[str, str], str]:  # noqa: ANN401 - as above
    """Ids of key ranges, from a raw answer about partition key ranges; the SDK leaves them out.

    Empty where nothing is newer (304), and for errors, which a raw hook sees as well.
    """
    answer = response.http_response
    if answer.status_code != _OK:
        return {}
    found = json.loads(answer.text())["PartitionKeyRanges"]
    return {(each["minInclusive"], each["maxExclusive"]): each["id"] for each in found}
