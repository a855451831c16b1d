from __future__ import annotations

from typing import Any

import pytest
from azure.core.exceptions import ServiceResponseError

from core.cosmos.partitions import PartitionMap
from core.errors import ConfigurationError, IdempotencyKeyReusedError
from core.streams.event_store import EventStore
from core.streams.reader import StreamReader
from tests.support import FakeTime, MemoryContainer, followed, refusal, stream


def streams(container: MemoryContainer, clock: FakeTime) -> EventStore:
    opened: Any = container
    requests = clock.requests()
    partitions = PartitionMap(opened, requests)
    reader = StreamReader(container=opened, partitions=partitions, requests=requests)
    return EventStore(container=opened, partitions=partitions, requests=requests, reader=reader)


async def test_appending_again_changes_nothing() -> None:
    """A client's repetition succeeds and leaves what is there."""
    container, clock = MemoryContainer(), FakeTime()
    first = followed(1, 2, time="2026-01-01T00:00:00Z")
    await streams(container, clock).append(stream(1), [first], clock.deadline())

    again = followed(1, 2, time="2026-02-02T00:00:00Z")
    await streams(container, clock).append(stream(1), [again], clock.deadline())

    assert list(container.documents.values()) == [first]


async def test_a_lost_reply_is_no_second_append() -> None:
    """The retry finds its own events."""
    lost = [ServiceResponseError("reset")]

    async def after(_: str) -> None:
        if lost:
            raise lost.pop()

    container, clock = MemoryContainer(after=after), FakeTime()

    await streams(container, clock).append(stream(1), [followed(1, 2)], clock.deadline())

    assert len(container.documents) == 1


async def test_a_key_for_another_request_is_rejected() -> None:
    """The events that are there are not those that were asked for."""
    container, clock = MemoryContainer(), FakeTime()
    await streams(container, clock).append(stream(1), [followed(1, 2, "e")], clock.deadline())

    with pytest.raises(IdempotencyKeyReusedError):
        await streams(container, clock).append(stream(1), [followed(1, 3, "e")], clock.deadline())

    assert container.documents[stream(1), "e"] == followed(1, 2, "e")


async def test_a_missing_container_is_said() -> None:
    """With what to do."""

    async def before(_: str) -> None:
        raise refusal(404)

    container, clock = MemoryContainer(before=before), FakeTime()

    with pytest.raises(ConfigurationError, match="admin init"):
        await streams(container, clock).append(stream(1), [followed(1, 2)], clock.deadline())
