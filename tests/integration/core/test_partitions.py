"""Where streams lie, as the real SDK tells it."""

from __future__ import annotations

import asyncio
from typing import Any

from azure.cosmos.aio import DatabaseProxy
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.cosmos.key_ranges import effective_partition_key
from core.cosmos.partitions import PartitionMap
from core.cosmos.requests import Requests
from core.throttling.deadline import Deadline
from core.throttling.rate_limiters import RateLimiters
from core.throttling.retrier import Retrier
from tests.support import stream


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(name=st.text(max_size=80))
async def test_our_hash_is_that_of_the_sdk(database: DatabaseProxy, name: str) -> None:
    """For any text."""
    container = database.get_container_client("events")

    feed_range = await container.feed_range_from_partition_key(name)

    assert effective_partition_key(name) == feed_range["Range"]["min"]


async def test_the_sdk_is_asked_once(database: DatabaseProxy) -> None:
    """However many ask at once; what it says tells that our own hash will do."""
    container = database.get_container_client("events")
    partitions = PartitionMap(container, Requests(limiters=RateLimiters(), retrier=Retrier()))
    asked: list[str] = []
    ask = container.feed_range_from_partition_key

    async def count(name: str) -> object:
        asked.append(name)
        return await ask(name)

    def read(**options: Any) -> object:
        asked.append("partitions")
        return read_feed_ranges(**options)

    read_feed_ranges = container.read_feed_ranges
    container.feed_range_from_partition_key = count  # type: ignore[method-assign,assignment] # the case
    container.read_feed_ranges = read  # type: ignore[method-assign,assignment] # the case
    located = await asyncio.gather(
        *(partitions.locate(stream(number), Deadline.after(20)) for number in range(200))
    )

    assert asked == ["partitions", stream(0)]
    assert {partition.id for partition in located} == {"0", "1", "2", "3"}
    assert len({(partition.start, partition.id) for partition in located}) == 4
