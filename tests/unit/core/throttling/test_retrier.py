"""Limiters and retries together, as every request uses them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeVar

import pytest

from core.errors import (
    ConfigurationError,
    CosmosError,
    DeadlineExceededError,
    ThrottledError,
    TransientError,
)
from core.throttling.rate_limiters import RateLimiter, RateLimiters, RequestAttempt
from core.throttling.retrier import Retrier
from core.throttling.stats import RequestStats
from tests.support import FakeTime

ResultT = TypeVar("ResultT")


@dataclass
class Process:
    """What the requests of a process share."""

    clock: FakeTime = field(default_factory=FakeTime)
    stats: RequestStats = field(default_factory=RequestStats)
    is_known: bool = True
    sleep: Callable[[float], Awaitable[None]] | None = None

    def __post_init__(self) -> None:
        sleep = self.sleep or self.clock.sleep
        self.limiters = self.clock.limiters()
        if not self.is_known:
            self.limiters = RateLimiters(clock=self.clock, sleep=sleep)
        self.retrier = self.clock.retrier()

    async def run(
        self,
        operation: Callable[[RequestAttempt], Awaitable[ResultT]],
        partition: str = "a",
        *,
        pending: int | None = None,
        limits: tuple[RateLimiter, ...] = (),
        seconds: float = 60.0,
    ) -> ResultT:
        """Run a request; a background one if it has pending operations."""
        deadline = self.clock.deadline(seconds)

        async def attempt() -> ResultT:
            admitted = (
                self.limiters.attempt(partition, deadline, self.stats)
                if pending is None
                else self.limiters.background_attempt(
                    partition, pending, deadline, self.stats, limits
                )
            )
            async with admitted:
                return await operation(admitted)

        return await self.retrier.run(attempt, deadline, self.stats)

    def throttle(self, partition: str, retry_after: float) -> None:
        limiter = self.limiters.for_partition(partition)
        limiter.on_throttled(limiter.reserve(1), retry_after)


def throttled(retry_after: float | None) -> ThrottledError:
    return ThrottledError("slow", status=429, sub_status=3200, retry_after=retry_after)


def failing(*errors: CosmosError) -> Callable[[RequestAttempt], Awaitable[str]]:
    """Fails with these, one after the other, and then succeeds."""
    left = list(errors)

    async def operation(_: RequestAttempt) -> str:
        if left:
            raise left.pop(0)
        return "done"

    return operation


@pytest.mark.parametrize(
    ("errors", "waits"),
    [
        pytest.param([], [], id="nothing fails"),
        pytest.param([throttled(1.5)], [1.5], id="a retry-after is obeyed"),
        pytest.param([throttled(1.5), throttled(0.2)], [1.5, 0.2], id="each one again"),
        pytest.param([throttled(None), throttled(None)], [0.05, 0.1], id="none: doubling"),
        pytest.param([TransientError("x")] * 3, [0.05, 0.1, 0.2], id="transient: doubling"),
    ],
)
async def test_it_waits_and_tries_again(errors: list[CosmosError], waits: list[float]) -> None:
    """Until the operation succeeds."""
    process = Process()

    result = await process.run(failing(*errors))

    slept, stats = process.clock.slept, process.stats
    assert result == "done"
    assert sum(waits) <= sum(slept) <= sum(waits) + 0.1 * stats.throttled_requests
    assert stats.requests == len(errors) + 1
    assert stats.throttled_requests == sum(isinstance(error, ThrottledError) for error in errors)


async def test_what_is_not_retryable_is_raised_at_once() -> None:
    """Nothing is waited for."""
    process = Process()

    with pytest.raises(ConfigurationError):
        await process.run(failing(ConfigurationError("no")))

    assert process.clock.slept == []


@pytest.mark.parametrize("error", [throttled(5.0), TransientError("x")])
async def test_it_gives_up_before_the_deadline(error: CosmosError) -> None:
    """A wait that would end too late is not started."""
    process = Process()
    started = process.clock.now

    with pytest.raises(DeadlineExceededError) as caught:
        await process.run(failing(*[error] * 1000), seconds=4.0)

    assert process.clock.now - started <= 4.0
    assert isinstance(caught.value.__cause__, type(error))


async def test_a_429_holds_up_everybody_on_that_partition_only() -> None:
    """The throughput is the partition's, so its retry-after is for all who write there."""
    process = Process()
    process.throttle("a", 3.0)

    await process.run(failing(), "b")
    assert process.clock.slept == []

    await process.run(failing(), "a")
    assert process.clock.slept == pytest.approx([3.05], abs=0.03)


async def test_others_wait_after_a_request_that_got_a_429() -> None:
    """Although the request itself gave up."""
    process = Process()

    with pytest.raises(DeadlineExceededError):
        await process.run(failing(throttled(3.0)), seconds=1.0)
    await process.run(failing())

    assert process.clock.slept == pytest.approx([3.05], abs=0.03)


async def test_a_449_holds_up_nobody_else() -> None:
    """It is about one document, not about the partition's throughput."""
    process = Process()
    error = ThrottledError("busy", status=449, sub_status=0, retry_after=1.0)

    await process.run(failing(error))

    assert process.clock.slept == [1.0]
    assert process.limiters.for_partition("a").epoch == 0


async def test_a_pause_beyond_the_deadline_is_not_waited_for() -> None:
    """Nothing is sent, and no place is kept."""
    process = Process()
    process.throttle("a", 10.0)

    for _ in range(3):
        with pytest.raises(DeadlineExceededError, match=r"10\.\d s more"):
            await process.run(failing(), seconds=5.0)

    assert process.stats.requests == 0


async def test_a_429_is_heard_by_those_who_wait_already() -> None:
    """They take a new place, after the retry-after delay."""
    process = Process(is_known=False)
    limiter = process.limiters.for_partition("a")
    first = limiter.reserve(100)
    started = process.clock.now
    waiting = asyncio.create_task(process.run(failing()))
    await asyncio.sleep(0)
    limiter.on_throttled(first, 5.0)

    assert await waiting == "done"
    assert process.clock.now - started >= 5.0


async def test_background_work_is_sent_in_parts_that_the_rate_allows() -> None:
    """An attempt tells how many operations."""
    process, sent = Process(is_known=False), list[int]()

    async def operation(attempt: RequestAttempt) -> None:
        sent.append(attempt.max_operations)
        attempt.record_charge(6.0 * attempt.max_operations)

    for pending in (100, 100, 3):
        await process.run(operation, pending=pending)

    assert sent[0] < sent[1] <= 100
    assert sent[2] == 3
    assert process.stats.request_charge == 6.0 * sum(sent)


async def test_who_is_waited_for_comes_before_what_nobody_waits_for() -> None:
    """Of background requests one waits to be admitted, however many there are."""
    process, order = Process(is_known=False), list[str]()
    process.throttle("a", 1.0)

    def run(name: str, pending: int | None) -> asyncio.Task[None]:
        async def operation(_: RequestAttempt) -> None:
            order.append(name)

        return asyncio.create_task(process.run(operation, pending=pending))

    tasks = [run("background", 10) for _ in range(4)]
    await asyncio.sleep(0)
    tasks.append(run("request", None))
    await asyncio.gather(*tasks)

    assert order.index("request") <= 1


async def test_a_limit_is_kept_and_holds_up_nobody_else() -> None:
    """Request units a second, over all partitions."""
    process = Process()
    limits = (RateLimiter(process.clock, 100.0),)
    started = process.clock.now

    async def operation(attempt: RequestAttempt) -> None:
        attempt.record_charge(6.0 * attempt.max_operations)

    for partition in ("a", "b") * 100:
        await process.run(operation, partition, pending=10, limits=limits)
    seconds = process.clock.now - started
    assert process.stats.request_charge / seconds == pytest.approx(100.0, rel=0.1)

    await process.run(operation)
    assert process.clock.now - started == seconds


async def test_nobody_waits_for_others_beyond_its_deadline() -> None:
    """Not even to be admitted, while somebody with more time waits."""
    process = Process()
    lock = process.limiters.for_partition("a").background_lock

    async with process.clock.deadline().hold(lock):
        with pytest.raises(DeadlineExceededError, match="other requests"):
            await process.run(failing(), pending=1, seconds=0.01)
    assert process.stats.requests == 0

    await process.run(failing(), pending=1)
    assert process.stats.requests == 1


async def test_a_large_answer_does_not_make_operations_dear() -> None:
    """What somebody waits for may be a query, or many events in one request."""
    process = Process()
    limiter = process.limiters.for_partition("a")
    before = limiter.max_operations

    async def query(attempt: RequestAttempt) -> None:
        attempt.record_charge(5_000.0)

    for _ in range(20):
        await process.run(query)

    assert limiter.max_operations == before


async def test_a_cancelled_writer_leaves_its_turn_to_the_next() -> None:
    """Nobody waits for one that is gone, nor for what it had reserved."""
    clock, stopped = FakeTime(), asyncio.Event()

    async def sleep(seconds: float) -> None:
        if not stopped.is_set():
            await stopped.wait()
        await clock.sleep(seconds)

    process = Process(clock=clock, is_known=False, sleep=sleep)
    process.throttle("a", 1.0)
    first, second, third = (
        asyncio.create_task(process.run(failing(), pending=100)) for _ in range(3)
    )
    await asyncio.sleep(0)
    first.cancel()
    second.cancel()
    stopped.set()

    assert await asyncio.wait_for(third, 5) == "done"
    assert process.limiters.for_partition("a").reserve(1).delay < 1.0


def test_waits_are_not_synchronized() -> None:
    """Two retriers draw different jitter."""
    assert Retrier().jitter() != Retrier().jitter()
