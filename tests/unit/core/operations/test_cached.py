"""Values that are read at most once in a while."""

from __future__ import annotations

import asyncio

import pytest

from core.operations.cached import Cached
from tests.support import FakeTime


class CountedSource:
    """A source whose reads last until they are let go."""

    def __init__(self) -> None:
        self.reads = 0
        self.go = asyncio.Event()
        self.fails = False

    async def read(self) -> int:
        """Return the number of the read."""
        self.reads += 1
        await self.go.wait()
        if self.fails:
            raise ValueError("no")
        return self.reads


async def test_concurrent_callers_share_one_read() -> None:
    """However long it takes."""
    source, clock = CountedSource(), FakeTime()
    cached = Cached(source.read, 5.0, clock)
    callers = [asyncio.create_task(cached.get()) for _ in range(100)]
    await asyncio.sleep(0)
    await clock.sleep(60)
    callers.append(asyncio.create_task(cached.get()))
    await asyncio.sleep(0)

    source.go.set()

    assert set(await asyncio.gather(*callers)) == {1}


async def test_a_value_is_read_again_after_a_while() -> None:
    """Counted from the start of the read."""
    source, clock = CountedSource(), FakeTime()
    source.go.set()
    cached = Cached(source.read, 5.0, clock)

    values = []
    for seconds in (0, 4, 1, 4.9, 0.2):
        await clock.sleep(seconds)
        values.append(await cached.get())

    assert values == [1, 1, 2, 2, 3]


async def test_a_caller_that_leaves_does_not_end_the_read() -> None:
    """Otherwise callers that leave would make it begin again and again."""
    source = CountedSource()
    cached = Cached(source.read, 5.0, FakeTime())
    caller = asyncio.create_task(cached.get())
    await asyncio.sleep(0)
    caller.cancel()
    source.go.set()

    assert await cached.get() == 1


async def test_an_error_is_kept_as_a_value_is() -> None:
    """It costs no more than a value."""
    source, clock = CountedSource(), FakeTime()
    source.go.set()
    source.fails = True
    cached = Cached(source.read, 5.0, clock)

    for _ in range(3):
        with pytest.raises(ValueError, match="no"):
            await cached.get()

    assert source.reads == 1
