from __future__ import annotations

from contextlib import ExitStack, suppress

from core.errors import ThrottledError
from core.gates import MOST_IN_FLIGHT, Gates
from tests.support import FakeTime


def test_a_closed_gate_opens_after_its_time() -> None:
    """And only that of its partition was closed."""
    clock = FakeTime()
    gates = Gates(clock)

    gates.of("a").close(2.0)
    gates.of("a").close(1.0)

    assert (gates.of("a").wait(), gates.of("b").wait()) == (2.0, 0.0)
    clock.now += 2.5
    assert gates.of("a").wait() == 0.0


def test_a_throttled_gate_lets_fewer_through() -> None:
    """Half as many after each 429, a little more after each success, at least one."""
    clock = FakeTime()
    gate = Gates(clock).of("a")

    def room() -> int:
        with ExitStack() as stack:
            while gate.has_room:
                stack.enter_context(gate.request())
            count = gate._in_flight
            stack.pop_all()
        gate._in_flight = 0
        return count

    def throttle() -> None:
        with suppress(ThrottledError), gate.request():
            raise ThrottledError("", status=429, sub_status=3200, retry_after=1.0)

    assert room() == MOST_IN_FLIGHT
    throttle()
    assert room() == MOST_IN_FLIGHT // 2
    for _ in range(20):
        throttle()
    assert room() == 1
    for _ in range(10):
        with gate.request():
            pass
    assert 2 <= room() < 8


def test_requests_sent_before_a_gate_closed_tell_nothing_new() -> None:
    """They do not shrink it once more."""
    gate = Gates(FakeTime()).of("a")
    gate.close(1.0)

    with suppress(ThrottledError), gate.request():
        raise ThrottledError("", status=429, sub_status=3200, retry_after=1.0)

    assert gate._limit == MOST_IN_FLIGHT
