from __future__ import annotations

from core.budget import Budget
from tests.support import FakeTime


def test_a_budget_is_never_overdrawn() -> None:
    """What is left is 0 when it is over."""
    clock = FakeTime()
    budget = Budget.of(5.0, clock)

    clock.now += 3.0
    assert budget.remaining() == 2.0
    clock.now += 3.0
    assert budget.remaining() == 0.0
