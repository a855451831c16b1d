"""A limit on the request units that a physical partition can use each second."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class ThroughputLimiter:
    """A token bucket that holds the request units of up to one second.

    It admits requests while the balance is positive. The charge of a request is known only
    afterwards, as in the service, and may make the balance negative.

    Args:
        rate: The request units per second, None for no limit.
        clock: Returns the seconds of a monotonic clock.
    """

    def __init__(self, rate: float | None, clock: Callable[[], float]) -> None:
        self._rate = rate
        self._clock = clock
        self._balance = rate or 0.0
        self._at = clock()

    def retry_after_ms(self) -> int:
        """Return the milliseconds until a request is admitted, 0 if it is admitted now."""
        if self._rate is None:
            return 0
        now = self._clock()
        self._balance = min(self._rate, self._balance + (now - self._at) * self._rate)
        self._at = now
        if self._balance > 0:
            return 0
        return math.floor(-self._balance / self._rate * 1000) + 1

    def charge(self, request_units: float) -> None:
        """Subtract the charge of an admitted request from the balance."""
        self._balance -= request_units

    def with_rate(self, rate: float | None) -> ThroughputLimiter:
        """Return a new limiter with another rate and the same clock."""
        return ThroughputLimiter(rate, self._clock)
