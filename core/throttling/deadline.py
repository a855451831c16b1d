"""The time by which an invocation or a request must return."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


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

    def remaining(self) -> float:
        """Return the number of seconds left, never negative."""
        return max(self.at - self.clock(), 0.0)
