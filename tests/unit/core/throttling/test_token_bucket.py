"""How the pace of a partition is found and held, against models of what a partition takes."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from core.throttling.rate_limiters import RateLimiter
from core.throttling.token_bucket import BURST_SECONDS, INITIAL_RATE, AdaptiveTokenBucket
from local.cosmos.throughput_limiter import ThroughputLimiter

CHARGE = 6.2
"""Request units of one operation."""


class Second:
    """A partition that begins every second with its full throughput and carries nothing over."""

    def __init__(self, rate: float, clock: Callable[[], float]) -> None:
        self.rate, self._clock = rate, clock
        self._second, self._used = 0, 0.0

    def retry_after_ms(self) -> int:
        second = int(self._clock())
        if second != self._second:
            over = self._used - self.rate * (second - self._second)
            self._second, self._used = second, max(over, 0.0)
        if self._used < self.rate:
            return 0
        over = (self._used - self.rate) / self.rate
        return math.ceil((second + 1 + over - self._clock()) * 1000)

    def charge(self, charge: float) -> None:
        self._used += charge


Partition = ThroughputLimiter | Second


@dataclass
class Sender:
    """Sends as fast as its gate lets it, and counts what becomes of it."""

    partition: Partition
    now: float = 0.0
    requests: int = 0
    refused: int = 0
    charge: float = 0.0

    def __post_init__(self) -> None:
        self.limiter = RateLimiter(lambda: self.now)
        self._random = random.Random(1)  # noqa: S311 - for travel times

    def send(self) -> None:
        """One request, in its turn."""
        reservation = self.limiter.reserve(self.limiter.max_operations)
        self.now += reservation.delay
        self._travel()
        hints = [self._operation() for _ in range(reservation.operations)]
        taken = CHARGE * hints.count(0)
        self.charge += taken
        self._travel()
        self.requests += 1
        self.limiter.record_charge(reservation, taken)
        if any(hints):
            self.refused += 1
            self.limiter.on_throttled(reservation, max(hints) / 1000)
        else:
            self.limiter.update_cost_estimate(reservation.operations, taken)

    def until(self, moment: float) -> None:
        while self.now < moment:
            self.send()

    def _operation(self) -> int:
        wait = self.partition.retry_after_ms()
        if not wait:
            self.partition.charge(CHARGE)
        return wait

    def _travel(self) -> None:
        self.now += self._random.uniform(0.001, 0.005)


def sender(model: type[ThroughputLimiter | Second], rate: float) -> Sender:
    sending = Sender(ThroughputLimiter(None, lambda: 0.0))
    sending.partition = model(rate, lambda: sending.now)
    return sending


@pytest.mark.parametrize("rate", [62.5, 250.0, 1_000.0, 2_500.0, 10_000.0])
@pytest.mark.parametrize(("model", "least"), [(ThroughputLimiter, 0.98), (Second, 0.9)])
def test_throughput_is_used_and_hardly_ever_overdrawn(
    model: type[ThroughputLimiter | Second], least: float, rate: float
) -> None:
    """Less of it is where the throughput of a second is lost with the second."""
    sending = sender(model, rate)
    sending.until(10.0)
    before, sending.requests, sending.refused, sending.charge = sending.now, 0, 0, 0.0

    sending.until(130.0)

    used = sending.charge / (rate * (sending.now - before))
    assert least <= used <= 1.02
    assert sending.refused <= 0.02 * sending.requests


@pytest.mark.parametrize("rate", [62.5, 1_000.0, 10_000.0])
def test_throughput_is_found_within_a_few_requests(rate: float) -> None:
    """Of the first second little is throttled."""
    sending = sender(ThroughputLimiter, rate)

    sending.until(5.0)

    assert sending.refused <= 6
    assert sending.limiter._bucket._measured == pytest.approx(rate, rel=0.15)


class Shared:
    """A partition that several senders write to, each at its own time."""

    def __init__(self, rate: float, count: int) -> None:
        self.senders = [sender(ThroughputLimiter, rate) for _ in range(count)]
        partition = ThroughputLimiter(rate, lambda: max(sender.now for sender in self.senders))
        for one in self.senders:
            one.partition = partition

    def until(self, moment: float, senders: list[Sender]) -> list[float]:
        """What each of these used meanwhile, of the whole; the others are silent."""
        begun, before = (
            max(sender.now for sender in self.senders),
            [sender.charge for sender in senders],
        )
        while min(sender.now for sender in senders) < moment:
            min(senders, key=lambda one: one.now).send()
        seconds = moment - begun
        return [
            (sender.charge - was) / seconds / 1_000.0
            for sender, was in zip(senders, before, strict=True)
        ]


@pytest.mark.parametrize("count", [2, 4, 8])
def test_processes_share_a_partition_and_take_what_others_leave(count: int) -> None:
    """Nobody is left with nothing; who is alone at last has all of it soon."""
    shared = Shared(1_000.0, count)
    shared.until(10.0, shared.senders)

    shares = shared.until(40.0, shared.senders)
    assert 0.95 <= sum(shares) <= 1.05
    assert min(shares) > 0.25 / count

    shared.until(52.0, shared.senders[:1])
    assert 0.9 <= shared.until(62.0, shared.senders[:1])[0] <= 1.2


@pytest.mark.parametrize("factor", [0.25, 0.5, 4.0, 10.0])
def test_throughput_that_changes_is_found_again(factor: float) -> None:
    """After a split, or when somebody scales the account."""
    sending = sender(ThroughputLimiter, 1_000.0)
    sending.until(30.0)
    sending.partition = ThroughputLimiter(1_000.0 * factor, lambda: sending.now)

    sending.until(120.0)

    assert sending.limiter._bucket._measured == pytest.approx(1_000.0 * factor, rel=0.15)


def test_a_partition_that_takes_everything_is_not_held_back() -> None:
    """The pace grows with every answer until the sender is the limit."""
    sending = sender(ThroughputLimiter, 10_000_000.0)

    sending.until(0.5)

    assert sending.refused == 0
    assert sending.charge > 20_000


def test_a_hint_is_obeyed_and_slightly_more() -> None:
    """An answer takes time to travel."""
    bucket = AdaptiveTokenBucket(0.0)
    bucket.reserve(0.0, 100.0)
    bucket.on_throttled(0.0, 2.0)

    assert 2.0 <= bucket.reserve(0.0, 0.0) < 2.2
    assert bucket.reserve(1.0, 0.0) == pytest.approx(1.05)
    assert bucket.reserve(3.0, 0.0) == 0.0


def test_what_was_sent_before_a_error_tells_nothing_new() -> None:
    """It can only make the wait longer."""
    bucket = AdaptiveTokenBucket(0.0)
    bucket.on_throttled(0.0, 1.0)
    rate = bucket.rate

    bucket.extend_pause(0.0, 0.5)
    assert bucket.reserve(0.0, 0.0) == pytest.approx(1.05)
    bucket.extend_pause(0.0, 3.0)
    assert bucket.reserve(0.0, 0.0) == pytest.approx(3.05)
    assert bucket.rate == rate


def test_requests_are_spaced_by_what_they_cost() -> None:
    """What one has reserved, the next one waits for."""
    bucket = AdaptiveTokenBucket(0.0, fixed_rate=100.0)

    waits = [bucket.reserve(0.0, 50.0) for _ in range(3)]

    assert waits == pytest.approx([0.5 - BURST_SECONDS, 1.0 - BURST_SECONDS, 1.5 - BURST_SECONDS])


def test_what_was_reserved_and_not_used_is_given_back() -> None:
    """The next one may go at once."""
    bucket = AdaptiveTokenBucket(0.0, fixed_rate=100.0)
    bucket.reserve(0.0, 80.0)

    bucket.record_charge(0.0, refund=80.0)

    assert bucket.reserve(0.0, 25.0) == 0.0


def test_a_ceiling_is_not_learned() -> None:
    """Neither up nor down."""
    bucket = AdaptiveTokenBucket(0.0, fixed_rate=100.0)

    bucket.record_charge(10_000.0)

    assert bucket.rate == 100.0


def test_nobody_learns_from_idleness() -> None:
    """An hour without requests says nothing of what would have been taken."""
    bucket = AdaptiveTokenBucket(0.0)
    bucket.record_charge(2_000.0)
    bucket.reserve(0.0, 2_000.0)
    bucket.on_throttled(0.0, 1.0)
    rate = bucket.rate

    bucket.reserve(3_600.0, 0.0)

    assert bucket.rate == pytest.approx(rate, rel=0.05)


def test_it_never_comes_to_a_standstill() -> None:
    """However often nothing at all was taken."""
    bucket = AdaptiveTokenBucket(0.0)
    for second in range(100):
        bucket.on_throttled(float(second), 0.1)

    assert 0.9 < bucket.rate < INITIAL_RATE
