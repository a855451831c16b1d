"""The time that one invocation may take."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, kw_only=True)
class Budget:
    """Ends well before the host's time-out would kill the worker.

    Attributes:
        deadline: Moment at which it is spent, on `clock`.
        clock: Seconds on a monotonic clock.
    """

    deadline: float
    clock: Callable[[], float] = time.monotonic

    @classmethod
    def of(cls, seconds: float, clock: Callable[[], float] = time.monotonic) -> Budget:
        """A budget of so many seconds from now."""
        return cls(deadline=clock() + seconds, clock=clock)

    def at_least(self, seconds: float) -> Budget:
        """This budget, or so many seconds from now where less is left."""
        return replace(self, deadline=max(self.deadline, self.clock() + seconds))

    def remaining(self) -> float:
        """Seconds left; never negative."""
        return max(self.deadline - self.clock(), 0.0)
