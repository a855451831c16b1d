"""Values that are read at most once in a while, however many callers there are."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import Any

ValueT = TypeVar("ValueT")


class Cached(Generic[ValueT]):
    """A value that one reader at a time reads for all callers.

    Args:
        read: A coroutine function that reads the value.
        seconds: The seconds from the start of one read to that of the next.
        clock: The seconds of a monotonic clock.
    """

    def __init__(
        self,
        read: Callable[[], Coroutine[Any, Any, ValueT]],
        seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._read = read
        self._seconds = seconds
        self._clock = clock
        self._task: asyncio.Task[ValueT] | None = None
        self._started = 0.0

    async def get(self) -> ValueT:
        """Return the value of the latest read, which continues if this caller leaves.

        Raises:
            Exception: If the read raised it.
        """
        now = self._clock()
        if self._task is None or (self._task.done() and now - self._started >= self._seconds):
            self._started = now
            self._task = asyncio.create_task(self._read(), name="cached read")
        return await asyncio.shield(self._task)
