"""Streams are read page by page, each with its own retries."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from core.cosmos.partitions import PartitionMap
from core.errors import PositionNotReachedError
from core.streams.reader import StreamReader
from tests.support import FakeTime, MemoryContainer, followed, refusal, stream


class PagedContainer(MemoryContainer):
    """A container that returns a query in pages of two, and throttles what it is told to."""

    def __init__(self, throttled: list[str | None]) -> None:
        super().__init__()
        self.throttled = throttled
        self.requests: list[str | None] = []

    def query_items(self, text: str, **options: Any) -> Any:
        response_hook = options["response_hook"]

        class Query:
            @staticmethod
            async def by_page(continuation: str | None) -> AsyncIterator[Any]:
                self.requests.append(continuation)
                if continuation in self.throttled:
                    self.throttled.remove(continuation)
                    raise refusal(429, retry_after_ms=10)
                start = int(continuation or 0)
                page = list(self.documents.values())[start : start + 2]
                is_last = start + 2 >= len(self.documents)
                response_hook({} if is_last else {"x-ms-continuation": str(start + 2)}, None)
                if page:
                    yield _items(page)

        return Query


async def _items(page: list[Any]) -> AsyncIterator[Any]:
    for item in page:
        yield item


def reader_of(container: Any, clock: FakeTime) -> StreamReader:
    requests = clock.requests()
    return StreamReader(
        container=container, partitions=PartitionMap(container, requests), requests=requests
    )


async def test_a_throttled_page_is_read_again_alone() -> None:
    """The pages before it are not paid for twice."""
    container, clock = PagedContainer(["2", "4", "4"]), FakeTime()
    for number in range(5):
        document = followed(1, 2, str(number))
        container.documents[stream(1), document["id"]] = document

    documents = await reader_of(container, clock).read(stream(1), clock.deadline())

    assert [document["id"] for document in documents] == ["0", "1", "2", "3", "4"]
    assert container.requests == [None, "2", "2", "4", "4", "4"]


async def test_a_stream_without_documents_has_one_empty_page() -> None:
    """The SDK ends it before there is one."""
    container, clock = PagedContainer([]), FakeTime()

    assert await reader_of(container, clock).read(stream(1), clock.deadline()) == []


async def test_a_position_is_waited_for() -> None:
    """Another host may just be storing it."""
    container, clock = MemoryContainer(), FakeTime()
    pauses = 0

    async def sleep(seconds: float) -> None:
        nonlocal pauses
        pauses += 1
        await clock.sleep(seconds)
        if pauses == 3:
            container.documents[stream(1), "n000000000002"] = followed(1, 2, "n000000000002")

    reader = replace(reader_of(container, clock), sleep=sleep)

    await reader.await_position(stream(1), 2, clock.deadline(5))

    assert pauses == 3


async def test_a_position_that_is_not_reached_is_an_error() -> None:
    """After the time that the caller gives, and not before."""
    container, clock = MemoryContainer(), FakeTime()
    started = clock.now
    reader = replace(reader_of(container, clock), sleep=clock.sleep)

    with pytest.raises(PositionNotReachedError, match="position 2"):
        await reader.await_position(stream(1), 2, clock.deadline(5))

    assert 4.8 < clock.now - started <= 5
