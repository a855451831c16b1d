from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from azure.core.exceptions import ServiceResponseError

from core.errors import DeadlineExceededError
from tests.support import Document, FakeTime, MemoryContainer, documents_in


class UnsteadyContainer(MemoryContainer):
    """A container whose physical partitions cannot be read at first, or ever."""

    def __init__(self, *failures: Exception, hangs: bool = False) -> None:
        super().__init__()
        self.failures = list(failures)
        self.hangs = hangs

    async def read_feed_ranges(self, **options: Any) -> AsyncIterator[Document]:
        if self.failures:
            raise self.failures.pop(0)
        if self.hangs:
            await asyncio.Event().wait()
        async for feed_range in super().read_feed_ranges(**options):
            yield feed_range


async def test_partitions_that_cannot_be_read_are_read_again() -> None:
    """The session is brought up to date like anything else that is sent."""
    clock, container = FakeTime(), UnsteadyContainer(ServiceResponseError("reset"))

    await documents_in(container, clock).catch_up("reading", clock.deadline())

    assert container.failures == []


async def test_partitions_are_not_waited_for_beyond_the_deadline() -> None:
    """The SDK may wait for a lock that it holds itself."""
    clock, container = FakeTime(), UnsteadyContainer(hangs=True)

    with pytest.raises(DeadlineExceededError):
        await asyncio.wait_for(
            documents_in(container, clock).catch_up("reading", clock.deadline(0.05)), 5
        )
