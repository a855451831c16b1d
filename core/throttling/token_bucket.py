"""How fast a physical partition takes what is written: its budget, as far as it has shown it."""

from __future__ import annotations

import math

INITIAL_RATE = 1_000.0
"""Request units a second at which sending begins, before anything is known."""

BURST_SECONDS = 0.25
"""Seconds whose request units may be saved up."""

_RAMP = 0.05
"""Seconds of what was taken that are added to the rate, until the first refusal."""

_RETRY_AFTER_MARGIN = 0.05
"""Seconds that are waited beyond the service's hint, as answers take time to travel."""

_INITIAL_FRACTION = 0.97
"""Of what was measured, what is used at first; the rest is found out again."""

_SHORT_PROBE_DELAY, _LONG_PROBE_DELAY = 1.0, 8.0
"""Seconds from a refusal until all of what was measured is used; afterwards more is tried. The
longer patience is for what was measured twice."""

_SAME = (0.9, 1.1)
"""What was measured, of what was measured before, where it is the same."""

_DOUBLED = 1.0
"""Seconds in which the rate doubles when patience has ended and nothing is refused."""

_MIN_DECREASE = 0.25
"""Of the rate, what is left at least after a refusal."""

MIN_RATE = 10.0


class AdaptiveTokenBucket:
    """A balance of request units that fills at a rate, from which all that is sent is taken.

    Until something is refused the rate grows with what is taken. A refusal (429) tells the
    service's balance: it will be zero when its hint has passed. So what was taken between two
    refusals, over the time between the ends of their hints, is what the partition takes, whoever
    else may write to it. The rate begins a little below, is all of it when its patience ends, and
    then doubles every second, because budgets grow, and others leave. Patience is long when the
    same was measured twice: who is alone holds the budget and is hardly ever refused, and who
    shares it learns soon what the others have left. Only time in which the balance was not full
    counts: nobody learns from idleness.

    Times are seconds of any one clock, charges are request units.

    Args:
        now: The time.
        ceiling: A rate that is given, and is not to be learned.
    """

    def __init__(self, now: float, ceiling: float | None = None) -> None:
        self._at = now
        self._fixed = ceiling is not None
        self._measured = ceiling or INITIAL_RATE
        self._refused = False
        self._probe_delay = _SHORT_PROBE_DELAY
        self._balance = self._measured * BURST_SECONDS
        self._taken = 0.0
        self._busy = 0.0
        self._hint = 0.0

    @property
    def rate(self) -> float:
        """Request units a second."""
        if not self._refused:
            return self._measured
        paced = max(self._busy - self._hint, 0.0)
        if paced < self._probe_delay:
            return self._measured * (
                _INITIAL_FRACTION + (1.0 - _INITIAL_FRACTION) * paced / self._probe_delay
            )
        return self._measured * math.pow(2.0, (paced - self._probe_delay) / _DOUBLED)

    def reserve(self, now: float, charge: float) -> float:
        """Take what a request will cost; seconds until it may be sent."""
        self._advance(now)
        self._balance -= charge
        return max(-self._balance / self.rate, 0.0)

    def refund(self, charge: float) -> None:
        """What was reserved will not be used, or not wholly; negative for what came on top."""
        self._balance += charge

    def note(self, charge: float) -> None:
        """A request cost so much."""
        self._taken += charge
        if not self._refused and not self._fixed:
            self._measured += charge / _RAMP

    def refuse(self, now: float, hint: float) -> None:
        """Nothing is taken for `hint` seconds; this is the first that is heard of it."""
        self._advance(now)
        before, self._measured = self._measured, self._measure(hint)
        same = _SAME[0] < self._measured / before < _SAME[1]
        self._probe_delay = _LONG_PROBE_DELAY if self._refused and same else _SHORT_PROBE_DELAY
        self._refused = True
        self._taken = self._busy = 0.0
        self._hint = hint
        self._balance = -(hint + _RETRY_AFTER_MARGIN) * self.rate

    def hold(self, now: float, hint: float) -> bool:
        """The same for what was sent before the first was heard of; whether it takes longer now."""
        self._advance(now)
        before, self._balance = (
            self._balance,
            min(self._balance, -(hint + _RETRY_AFTER_MARGIN) * self.rate),
        )
        return self._balance < before

    def _measure(self, hint: float) -> float:
        """Request units a second that the partition takes, as a refusal with this hint tells."""
        seconds = self._busy + hint - self._hint
        measured = self._taken / seconds if seconds > 0 else 0.0
        if self._refused and self._busy - self._hint >= self._probe_delay:
            measured = max(measured, self._measured)  # it was taken for as long as patience lasted
        return max(min(measured, self.rate), _MIN_DECREASE * self.rate, MIN_RATE)

    def _advance(self, now: float) -> None:
        passed, self._at = max(now - self._at, 0.0), max(now, self._at)
        rate = self.rate
        filling = min(passed, max(BURST_SECONDS - self._balance / rate, 0.0))
        self._busy += filling
        self._balance = min(self._balance + filling * rate, BURST_SECONDS * rate)
