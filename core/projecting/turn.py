"""Turns: the times in which a run derives before other tasks of the event loop continue."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_TURN_SECONDS = 0.02


@dataclass(frozen=True, kw_only=True)
class Turn:
    """A time of 20 ms; it can only end between two derived events.

    Attributes:
        ends: The time at which it ends, on `clock`.
        clock: The seconds of a monotonic clock.
        cpu_started: The processor time at its start, on `cpu_clock`.
        cpu_clock: The seconds of processor time of the thread.
    """

    ends: float
    clock: Callable[[], float]
    cpu_started: float
    cpu_clock: Callable[[], float]

    @classmethod
    def start(cls, clock: Callable[[], float], cpu_clock: Callable[[], float]) -> Turn:
        """Return a turn that starts now."""
        return cls(
            ends=clock() + _TURN_SECONDS,
            clock=clock,
            cpu_started=cpu_clock(),
            cpu_clock=cpu_clock,
        )

    @property
    def is_over(self) -> bool:
        """Whether other tasks must continue."""
        return self.clock() >= self.ends

    @property
    def cpu_seconds(self) -> float:
        """The processor time of the thread since it started."""
        return self.cpu_clock() - self.cpu_started


ENDLESS_TURN = Turn(ends=math.inf, clock=lambda: 0.0, cpu_started=0.0, cpu_clock=lambda: 0.0)
"""A turn for callers that have no other tasks."""
