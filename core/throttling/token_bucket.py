"""An adaptive token bucket: the throughput of a physical partition, learned from throttling."""

from __future__ import annotations

import math

INITIAL_RATE = 1_000.0
"""The request units a second at which sending starts, before anything is known."""

BURST_SECONDS = 0.25
"""The seconds whose request units may be saved up."""

MIN_RATE = 10.0
"""The lowest rate, in request units a second."""

_RAMP_SECONDS = 0.05
"""The seconds over which a charge is added to the rate, until the first 429."""

_RETRY_AFTER_MARGIN = 0.05
"""The seconds waited in addition to the retry-after, as responses take time to arrive."""

_INITIAL_FRACTION = 0.97
"""The part of the measured rate that is used at first."""

_SHORT_PROBE_DELAY, _LONG_PROBE_DELAY = 1.0, 8.0
"""The seconds from a 429 until all of the measured rate is used. Afterwards more is tried. The long
delay is for a rate that was measured twice."""

_SAME_RATE = (0.9, 1.1)
"""The ratios of two measured rates that count as the same."""

_DOUBLING_SECONDS = 1.0
"""The seconds in which the rate doubles after the probe delay while nothing is throttled."""

_MIN_DECREASE = 0.25
"""The part of the rate that is left at least after a 429."""


class AdaptiveTokenBucket:
    """A balance of request units that fills at a rate; every request takes its charge from it.

    Until the first 429 the rate grows with what is spent. A 429 shows the service's own balance: it
    will be zero after the retry-after delay. So what was spent between two 429s, over the time
    between the ends of their delays, is the throughput that the partition provides, whoever else
    writes to it. The rate starts slightly below, reaches it after the probe delay, and then doubles
    every second, because throughput is raised and other writers leave. The delay is long if the
    same rate was measured twice: a single writer stays at the throughput with few 429s, and writers
    that share a partition quickly find what the others leave. Only time in which the balance was
    not full counts, so that idleness teaches nothing.

    Times are seconds of any one clock, charges are request units.

    Args:
        now: The time.
        fixed_rate: A rate that is not learned.
    """

    def __init__(self, now: float, fixed_rate: float | None = None) -> None:
        self._at = now
        self._is_fixed = fixed_rate is not None
        self._measured = fixed_rate or INITIAL_RATE
        self._was_throttled = False
        self._probe_delay = _SHORT_PROBE_DELAY
        self._balance = self._measured * BURST_SECONDS
        self._spent = 0.0
        self._busy = 0.0
        self._retry_after = 0.0

    @property
    def rate(self) -> float:
        """The request units a second."""
        if not self._was_throttled:
            return self._measured
        limited = max(self._busy - self._retry_after, 0.0)
        if limited < self._probe_delay:
            part = _INITIAL_FRACTION + (1.0 - _INITIAL_FRACTION) * limited / self._probe_delay
            return self._measured * part
        return self._measured * math.pow(2.0, (limited - self._probe_delay) / _DOUBLING_SECONDS)

    def reserve(self, now: float, charge: float) -> float:
        """Take the expected charge of a request, and return the seconds until it may be sent."""
        self._advance(now)
        self._balance -= charge
        return max(-self._balance / self.rate, 0.0)

    def record_charge(self, charge: float, refund: float = 0.0) -> None:
        """Record the charge of a request.

        Args:
            charge: The request units that it cost.
            refund: The part of its reservation that it did not use, negative if it cost more.
        """
        self._spent += charge
        if not self._was_throttled and not self._is_fixed:
            self._measured += charge / _RAMP_SECONDS
        self._balance += refund

    def on_throttled(self, now: float, retry_after: float) -> None:
        """Pause for the retry-after delay of a 429, and measure the rate."""
        self._advance(now)
        before, self._measured = self._measured, self._measure(retry_after)
        is_same = _SAME_RATE[0] < self._measured / before < _SAME_RATE[1]
        is_confirmed = self._was_throttled and is_same
        self._probe_delay = _LONG_PROBE_DELAY if is_confirmed else _SHORT_PROBE_DELAY
        self._was_throttled = True
        self._spent = self._busy = 0.0
        self._retry_after = retry_after
        self._balance = -(retry_after + _RETRY_AFTER_MARGIN) * self.rate

    def extend_pause(self, now: float, retry_after: float) -> bool:
        """Extend the pause if a request that was in flight is throttled with a longer delay.

        Returns:
            Whether the pause was extended.
        """
        self._advance(now)
        before = self._balance
        self._balance = min(before, -(retry_after + _RETRY_AFTER_MARGIN) * self.rate)
        return self._balance < before

    def _measure(self, retry_after: float) -> float:
        """Return the request units a second that the partition provides, as a 429 shows them."""
        seconds = self._busy + retry_after - self._retry_after
        measured = self._spent / seconds if seconds > 0 else 0.0
        if self._was_throttled and self._busy - self._retry_after >= self._probe_delay:
            measured = max(measured, self._measured)  # it was sustained for the whole probe delay
        return max(min(measured, self.rate), _MIN_DECREASE * self.rate, MIN_RATE)

    def _advance(self, now: float) -> None:
        passed, self._at = max(now - self._at, 0.0), max(now, self._at)
        rate = self.rate
        filling = min(passed, max(BURST_SECONDS - self._balance / rate, 0.0))
        self._busy += filling
        self._balance = min(self._balance + filling * rate, BURST_SECONDS * rate)
