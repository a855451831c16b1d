from __future__ import annotations

import pytest

from core.errors import RejectedByCosmosError
from core.throttling.rate_limiters import RateLimiter, RateLimiters
from core.throttling.stats import RequestStats
from tests.support import FakeTime


def limiter() -> RateLimiter:
    return RateLimiter(FakeTime())


def test_a_429_is_for_all_who_write_to_the_partition_and_nobody_else() -> None:
    """The throughput is the partition's."""
    limiters = RateLimiters(clock=FakeTime())
    throttled = limiters.for_partition("a").reserve(1)

    limiters.for_partition("a").on_throttled(throttled, 2.0)

    assert throttled.epoch != limiters.for_partition("a").epoch
    assert 2.0 <= limiters.for_partition("a").reserve(1).delay < 2.2
    assert limiters.for_partition("b").reserve(1).delay == 0.0


def test_the_longest_retry_after_counts() -> None:
    """Also for those that reserved a place after the first 429."""
    partition = limiter()
    first, second, third = (partition.reserve(1) for _ in range(3))
    partition.on_throttled(first, 1.0)
    waiting = partition.reserve(1)

    partition.on_throttled(second, 0.5)
    assert waiting.epoch == partition.epoch

    partition.on_throttled(third, 5.0)
    assert waiting.epoch != partition.epoch
    assert 5.0 <= partition.reserve(1).delay < 5.2


def test_requests_get_smaller_with_the_rate() -> None:
    """So that one does not exceed the throughput; one operation is always admitted."""
    partition = limiter()
    for _ in range(3):
        partition.record_charge(partition.reserve(100), 620.0)
    assert partition.max_operations == 100

    for _ in range(20):
        partition.on_throttled(partition.reserve(1), 1.0)

    assert partition.max_operations == 1


def test_the_cost_of_operations_is_learned() -> None:
    """The next request reserves as much."""
    partition = limiter()

    for _ in range(30):
        partition.update_cost_estimate(10, 200.0)

    assert 19.0 < partition.reserve(1).charge < 20.0


def test_only_projections_with_a_limit_have_a_limiter() -> None:
    """And writes of several are admitted by the limiters of all of them."""
    limiters = RateLimiters({"a": 100.0, "b": 200.0}, clock=FakeTime())

    assert len(limiters.for_projections("abca")) == 2
    assert limiters.for_projections("c") == ()
    assert limiters.for_projections("a") == limiters.for_projections("ac")
    assert RateLimiters().for_projections("abca") == ()


async def test_requests_and_their_errors_are_counted_for_health() -> None:
    """Of each attempt, with or without somebody who waits for it."""
    clock = FakeTime()
    limiters = RateLimiters(clock=clock, sleep=clock.sleep)
    full = RejectedByCosmosError("x", status=403, sub_status=1014)

    for attempt in (
        limiters.attempt("a", clock.deadline(), RequestStats()),
        limiters.background_attempt("a", 5, clock.deadline(), RequestStats()),
    ):
        with pytest.raises(RejectedByCosmosError):
            async with attempt:
                raise full

    assert limiters.recent.requests == 2
    assert limiters.recent.counts() == {"no-room": 2}
