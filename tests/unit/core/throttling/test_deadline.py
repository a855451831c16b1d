from __future__ import annotations

from core.throttling.deadline import Deadline
from tests.support import FakeTime


def test_a_budget_is_never_overdrawn() -> None:
    """What is left is 0 when it is over."""
    clock = FakeTime()
    deadline = Deadline.after(5.0, clock)

    clock.now += 3.0
    assert deadline.remaining() == 2.0
    clock.now += 3.0
    assert deadline.remaining() == 0.0


def test_what_must_be_done_may_take_a_little_more() -> None:
    """But never less than what is left."""
    clock = FakeTime()
    deadline = Deadline.after(5.0, clock)

    assert deadline.at_least(2.0).remaining() == 5.0
    clock.now += 6.0
    assert deadline.at_least(2.0).remaining() == 2.0
    assert deadline.remaining() == 0.0
