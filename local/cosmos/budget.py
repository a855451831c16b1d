"""The request units that a physical partition may use, second by second."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Budget:
    """A balance that fills at a constant rate, up to one second's worth.

    A request is admitted while the balance is positive, and its charge is then taken off, which
    may bring it below zero: as in the service, the cost of a request is known afterwards.

    Args:
        rate: Request units a second; None for without limit.
        clock: Seconds on a monotonic clock.
    """

    def __init__(self, rate: float | None, clock: Callable[[], float]) -> None:
        self._rate = rate
        self._clock = clock
        self._balance = rate or 0.0
        self._at = clock()

    def wait_ms(self) -> int:
        """Milliseconds until a request is admitted; 0 when it is now."""
        if self._rate is None:
            return 0
        now = self._clock()
        self._balance = min(self._rate, self._balance + (now - self._at) * self._rate)
        self._at = now
        if self._balance > 0:
            return 0
        return math.floor(-self._balance / self._rate * 1000) + 1

    def take(self, charge: float) -> None:
        """Take off what an admitted request cost."""
        self._balance -= charge

    def at(self, rate: float | None) -> Budget:
        """A fresh budget of another rate on the same clock."""
        return Budget(rate, self._clock)
