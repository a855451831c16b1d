from __future__ import annotations

from core.cosmos.gates import Ceilings, RateLimiters
from tests.support import FakeTime


def test_a_refusal_is_for_all_who_write_to_the_partition_and_nobody_else() -> None:
    """The budget is the partition's."""
    gates = RateLimiters(FakeTime())
    ticket, waiting = gates.of("a").take(1), gates.of("a").take(1)

    gates.of("a").refuse(ticket, 2.0)

    assert waiting.is_stale
    assert 2.0 <= gates.of("a").take(1).wait < 2.2
    assert gates.of("b").take(1).wait == 0.0


def test_the_longest_hint_counts() -> None:
    """Also for those who had a place in the order after the first one was heard."""
    clock = FakeTime()
    gate = RateLimiters(clock).of("a")
    first, second, third = (gate.take(1) for _ in range(3))
    gate.refuse(first, 1.0)
    waiting = gate.take(1)

    gate.refuse(second, 0.5)
    assert not waiting.is_stale

    gate.refuse(third, 5.0)
    assert waiting.is_stale
    assert 5.0 <= gate.take(1).wait < 5.2


def test_requests_get_smaller_with_the_pace() -> None:
    """So that one does not overshoot what the partition takes; one operation always may go."""
    gate = RateLimiters(FakeTime()).of("a")
    for _ in range(3):
        gate.settle(gate.take(100), 620.0)
    assert gate.operations == 100

    for _ in range(20):
        gate.refuse(gate.take(1), 1.0)

    assert gate.operations == 1


def test_what_operations_cost_is_learned() -> None:
    """The next request reserves as much."""
    gate = RateLimiters(FakeTime()).of("a")

    for _ in range(30):
        gate.learn(10, 200.0)

    assert 19.0 < gate.take(1).reserved < 20.0


def test_only_projections_with_a_ceiling_have_one() -> None:
    """And writes of several go through the gates of all of them."""
    clock = FakeTime()
    ceilings = Ceilings({"a": 100.0, "b": 200.0}, clock)

    assert len(ceilings.of("abca")) == 2
    assert ceilings.of("c") == ()
    assert ceilings.of("a") == ceilings.of("ac")
    assert Ceilings({}).of("abca") == ()
