"""The physical partition of each stream."""

from __future__ import annotations

import asyncio
import json
from bisect import bisect_right
from typing import TYPE_CHECKING, Any, NamedTuple

from core.cosmos.key_ranges import effective_partition_key
from core.cosmos.requests import REQUEST_TIMEOUT_SECONDS, collect

if TYPE_CHECKING:
    from azure.cosmos.aio import ContainerProxy

    from core.cosmos.requests import Requests
    from core.throttling.deadline import Deadline

_LIMITER = "metadata"
_OK = 200
_REFRESH_TIMEOUT_SECONDS = 5.0
_MAX_READS = 3
"""How often the partitions are read for their ids: those that another caller of the SDK has just
read are in its cache, and not in a response that can be seen here."""

_MAX_CACHED_KEYS = 100_000
"""The number of streams whose key is cached where the SDK has to be asked for each one."""


class Partition(NamedTuple):
    """A physical partition: the start of its key range, and its id if that is known."""

    start: str
    id: str | None = None


class PartitionMap:
    """Locates streams in physical partitions by their effective partition keys.

    After a split it is out of date until `refresh`. Correctness does not depend on it: a request to
    a partition that is gone, or that is not the stream's, fails with 410.

    Args:
        container: The container that is partitioned.
        requests: What sends the requests.
    """

    def __init__(self, container: ContainerProxy, requests: Requests) -> None:
        self._container = container
        self._requests = requests
        self._starts: list[str] = []
        self._partitions: list[Partition] = []
        self._ids: dict[tuple[str, str], str] = {}
        self._keys: dict[str, str] = {}
        self._is_hash_verified = False
        self._lock = asyncio.Lock()

    async def locate(self, stream_id: str, deadline: Deadline) -> Partition:
        """Return the physical partition of a stream, with one request for concurrent callers.

        Raises:
            DeadlineExceededError: If the deadline is reached.
            CosmosError: If Cosmos DB returns an error that is not retryable.
        """
        key = self._known_key(stream_id)
        if key is None:
            async with deadline.hold(self._lock):
                if not self._starts:
                    await self.refresh(deadline)
                key = self._known_key(stream_id)
                if key is None:
                    key = await self._ask_key(stream_id, deadline)
        return self._partitions[max(bisect_right(self._starts, key) - 1, 0)]

    async def refresh(self, deadline: Deadline) -> None:
        """Read the physical partitions again.

        Raises:
            DeadlineExceededError: If the deadline is reached.
            CosmosError: If Cosmos DB returns an error that is not retryable.
        """
        for _ in range(_MAX_READS):
            borders = await self._read_borders(deadline)
            if all(border in self._ids for border in borders):
                break
        self._partitions = [Partition(start, self._ids.get((start, end))) for start, end in borders]
        self._starts = [start for start, _ in borders]

    def _known_key(self, stream_id: str) -> str | None:
        """Return the key of a stream, of which any does for one partition, or None if unknown."""
        if len(self._starts) == 1:
            return ""
        return effective_partition_key(stream_id) if self._is_hash_verified else None

    async def _ask_key(self, stream_id: str, deadline: Deadline) -> str:
        """Return the SDK's key of a stream, and learn whether the engine's hash is the same.

        The engine's is forty times as fast. The SDK's differs if the container was created before
        2019 with the first version of the hash.
        """
        if stream_id in self._keys:
            return self._keys[stream_id]
        feed_range = await self._requests.send(
            f"locating stream {stream_id}",
            lambda _: self._container.feed_range_from_partition_key(stream_id),
            partition=_LIMITER,
            deadline=deadline,
            timeout_seconds=REQUEST_TIMEOUT_SECONDS,
        )
        key = str(feed_range["Range"]["min"])
        if len(self._keys) >= _MAX_CACHED_KEYS:
            self._keys.clear()
        self._keys[stream_id] = key
        self._is_hash_verified = effective_partition_key(stream_id) == key
        return key

    async def _read_borders(self, deadline: Deadline) -> list[tuple[str, str]]:
        ranges = await self._requests.send(
            "reading the physical partitions",
            lambda _: collect(
                self._container.read_feed_ranges(
                    force_refresh=True, raw_response_hook=self._store_ids
                )
            ),
            partition=_LIMITER,
            deadline=deadline,
            timeout_seconds=_REFRESH_TIMEOUT_SECONDS,
        )
        return sorted((one["Range"]["min"], one["Range"]["max"]) for one in ranges)

    def _store_ids(self, response: Any) -> None:  # noqa: ANN401 - azure-core's pipeline response
        """Add the ids of a response, which has only what has changed since the last one."""
        self._ids.update(range_ids(response))


def range_ids(response: Any) -> dict[tuple[str, str], str]:  # noqa: ANN401 - as above
    """Return the ids of key ranges in a raw response, which the SDK leaves out.

    There are none if nothing has changed (304), and in errors, which a raw hook sees as well.
    """
    answer = response.http_response
    if answer.status_code != _OK:
        return {}
    ranges = json.loads(answer.text())["PartitionKeyRanges"]
    return {(one["minInclusive"], one["maxExclusive"]): one["id"] for one in ranges}
