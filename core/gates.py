"""How many requests may be on their way to a physical partition, and when."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from contextlib import contextmanager
from typing import TYPE_CHECKING

from core.errors import ThrottledError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MOST_IN_FLIGHT = 64
"""Requests on their way to one partition while it takes everything."""


class Gate:
    """The way to one physical partition.

    A 429 closes it for everybody until the service's hint has passed, and halves how many may be
    on their way at once; every success adds a little. Those that had to wait would otherwise all
    come back in the same moment and be refused again.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._opens = 0.0
        self._limit = float(MOST_IN_FLIGHT)
        self._in_flight = 0
        self._queue: deque[asyncio.Future[None]] = deque()

    def close(self, seconds: float) -> None:
        """Keep it closed for so long from now; never shortens a wait."""
        self._opens = max(self._opens, self._clock() + seconds)

    def wait(self) -> float:
        """Seconds until it is open; 0 when it is."""
        return max(self._opens - self._clock(), 0.0)

    @property
    def has_room(self) -> bool:
        """Whether one more request may be sent."""
        return self._in_flight < int(self._limit)

    async def room(self) -> None:
        """Return when there may be room again."""
        waiting = asyncio.get_running_loop().create_future()
        self._queue.append(waiting)
        await waiting

    @contextmanager
    def request(self) -> Iterator[None]:
        """Count a request while it is on its way, and learn from how it ends."""
        self._in_flight += 1
        try:
            yield
        except ThrottledError:
            if self.wait() == 0:  # those sent before the gate closed tell nothing new
                self._limit = max(self._limit / 2, 1.0)
            raise
        else:
            self._limit = min(self._limit + 1 / self._limit, MOST_IN_FLIGHT)
        finally:
            self._in_flight -= 1
            self.wake()

    def wake(self) -> None:
        """Let as many of those who wait look again as there is room for."""
        room = int(self._limit) - self._in_flight
        while room > 0 and self._queue:
            waiting = self._queue.popleft()
            if not waiting.done():
                waiting.set_result(None)
                room -= 1


class Gates:
    """The gates by partition; shared by all invocations of the process, as the budget is."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._gates: dict[str, Gate] = {}

    def of(self, partition: str) -> Gate:
        """The gate of a physical partition."""
        return self._gates.setdefault(partition, Gate(self._clock))
