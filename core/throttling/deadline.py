"""The time by which an invocation or a request must return."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from core.errors import DeadlineExceededError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

GRACE_SECONDS = 5.0
"""Seconds after an invocation's deadline for saving fan-out progress, which spares more work."""


@dataclass(frozen=True, kw_only=True)
class Deadline:
    """The time by which work must end, well before the host's function timeout.

    Attributes:
        at: The point in time, on `clock`.
        clock: The seconds of a monotonic clock.
    """

    at: float
    clock: Callable[[], float] = time.monotonic

    @classmethod
    def after(cls, seconds: float, clock: Callable[[], float] = time.monotonic) -> Deadline:
        """Return the deadline that is the given number of seconds from now."""
        return cls(at=clock() + seconds, clock=clock)

    def at_least(self, seconds: float) -> Deadline:
        """Return this deadline, or a later one that leaves the given number of seconds."""
        return replace(self, at=max(self.at, self.clock() + seconds))

    def at_most(self, seconds: float) -> Deadline:
        """Return this deadline, or an earlier one that leaves the given number of seconds."""
        return replace(self, at=min(self.at, self.clock() + seconds))

    def remaining(self) -> float:
        """Return the number of seconds left, never negative."""
        return max(self.at - self.clock(), 0.0)

    def check(self, action: str, delay: float = 0.0) -> None:
        """Return if the action can go on, and can still do so after a delay.

        Args:
            action: A description for the error, as in "projecting".
            delay: The seconds that the action has to wait first.

        Raises:
            DeadlineExceededError: If the time does not suffice.
        """
        if delay >= self.remaining():
            more = f", which takes {delay:.1f} s more" if delay else ""
            raise DeadlineExceededError(f"Deadline exceeded while {action}{more}.")

    @asynccontextmanager
    async def hold(self, lock: asyncio.Lock | asyncio.Semaphore) -> AsyncIterator[None]:
        """Hold a lock, and wait for it no longer than the deadline.

        Raises:
            DeadlineExceededError: If others hold the lock until then.
        """
        action = "waiting for other requests"
        self.check(action)
        try:
            await asyncio.wait_for(lock.acquire(), self.remaining())
        except asyncio.TimeoutError:
            raise DeadlineExceededError(f"Deadline exceeded while {action}.") from None
        try:
            yield
        finally:
            lock.release()
