from __future__ import annotations

from typing import Any
from unittest.mock import AsyncMock

from azure.core.exceptions import ServiceResponseError

from core.cosmos.partitions import Partition, PartitionMap
from tests.support import (
    FakeTime,
    MemoryContainer,
    refusal,
    stream,
)


async def test_partitions_are_told_by_the_start_of_their_range() -> None:
    """The greatest start that is not above the stream's place."""
    clock = FakeTime()
    partitions = PartitionMap(MemoryContainer(partitions=4), clock.requests())  # type: ignore[arg-type] # stands in

    starts = [
        (await partitions.locate(stream(number), clock.deadline())).start
        for number in (0, 63, 64, 200)
    ]

    assert starts == ["", "", "40", "C0"]


async def test_with_one_partition_no_place_is_computed() -> None:
    """It would take longer than sending the request."""
    container = MemoryContainer()
    container.feed_range_from_partition_key = AsyncMock()  # type: ignore[method-assign] # must not be called

    clock = FakeTime()
    partitions = PartitionMap(container, clock.requests())  # type: ignore[arg-type] # stands in

    assert await partitions.locate(stream(1), clock.deadline()) == Partition("", "0")
    container.feed_range_from_partition_key.assert_not_awaited()


async def test_where_a_stream_lies_is_asked_again_when_the_answer_fails() -> None:
    """Nothing is sent before it is known, and nothing fails because of it."""
    container, clock = MemoryContainer(partitions=2), FakeTime()
    place, read = container.feed_range_from_partition_key, container.read_feed_ranges
    failures = [refusal(503), refusal(429, retry_after_ms=10), ServiceResponseError("reset")]

    async def place_later(name: str) -> Any:
        if failures:
            raise failures.pop()
        return await place(name)

    async def read_later(**options: Any) -> Any:
        if len(failures) == 3:
            raise failures.pop()
        async for feed_range in read(**options):
            yield feed_range

    container.feed_range_from_partition_key = place_later  # type: ignore[method-assign,assignment] # the case
    container.read_feed_ranges = read_later  # type: ignore[method-assign] # the case

    partitions = PartitionMap(container, clock.requests())  # type: ignore[arg-type] # stands in

    located = await partitions.locate(stream(200), clock.deadline())

    assert failures == []
    assert located.start == "80"
