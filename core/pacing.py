"""How fast a physical partition takes what is written: its budget, as far as it has shown it."""

from __future__ import annotations

import math

FIRST_RATE = 1_000.0
"""Request units a second at which sending begins, before anything is known."""

BURST = 0.25
"""Seconds whose request units may be saved up."""

_RAMP = 0.05
"""Seconds of what was taken that are added to the rate, until the first refusal."""

_SLACK = 0.05
"""Seconds that are waited beyond the service's hint, as answers take time to travel."""

_KEPT = 0.97
"""Of what was measured, what is used at first; the rest is found out again."""

_DOUBLED = 15.0
"""Seconds from reaching what was measured until, without a refusal, it is used twice over."""

_FLAT = _DOUBLED * math.pow(1 - _KEPT, 1 / 3)
"""Seconds from a refusal until what was measured is used wholly."""

_LEFT, _LEFT_LATER = 0.25, 0.97
"""Of the rate, what is left at least after a refusal, and after one that was long in coming: the
rate has grown since, and the mean over that time is too low."""

LEAST_RATE = 50.0


class Pace:
    """A balance of request units that fills at a rate, from which all that is sent is taken.

    Until something is refused the rate grows with what is taken. A refusal (429) tells the
    service's balance: it will be zero when its hint has passed. So what was taken between two
    refusals, over the time between the ends of their hints, is what the partition takes, whoever
    else may write to it. From there the rate follows the curve of CUBIC (RFC 9438, section 4.2):
    a little below what was measured, long about it, and ever faster beyond, because budgets
    grow as well. Only time in which the balance was not full counts: nobody learns from idleness.

    Times are seconds of any one clock, charges are request units.

    Args:
        now: The time.
        ceiling: A rate that is given, and is not to be learned.
    """

    def __init__(self, now: float, ceiling: float | None = None) -> None:
        self._at = now
        self._fixed = ceiling is not None
        self._measured = ceiling or FIRST_RATE
        self._refused = False
        self._balance = self._measured * BURST
        self._taken = 0.0
        self._busy = 0.0
        self._hint = 0.0

    @property
    def rate(self) -> float:
        """Request units a second."""
        if not self._refused:
            return self._measured
        paced = max(self._busy - self._hint, 0.0)
        return self._measured * (1.0 + math.pow((paced - _FLAT) / _DOUBLED, 3))

    def reserve(self, now: float, charge: float) -> float:
        """Take what a request will cost; seconds until it may be sent."""
        self._advance(now)
        self._balance -= charge
        return max(-self._balance / self.rate, 0.0)

    def give_back(self, charge: float) -> None:
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
        seconds = self._busy + hint - self._hint
        measured = self._taken / seconds if seconds > 0 else 0.0
        left = _LEFT if seconds < _FLAT else _LEFT_LATER
        self._measured = max(min(measured, self.rate), left * self.rate, LEAST_RATE)
        self._refused = True
        self._taken = self._busy = 0.0
        self._hint = hint
        self._balance = -(hint + _SLACK) * self.rate

    def hold(self, now: float, hint: float) -> None:
        """The same for what was sent before the first was heard of: it only may take longer."""
        self._advance(now)
        self._balance = min(self._balance, -(hint + _SLACK) * self.rate)

    def _advance(self, now: float) -> None:
        passed, self._at = max(now - self._at, 0.0), max(now, self._at)
        rate = self.rate
        filling = min(passed, max(BURST - self._balance / rate, 0.0))
        self._busy += filling
        self._balance = min(self._balance + filling * rate, BURST * rate)
