from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from core.cosmos.gates import RateLimiter, RateLimiters
from core.cosmos.retrying import Load, Passage, RequestStats, Retrier, held
from core.errors import (
    ConfigurationError,
    CosmosError,
    DeadlineExceededError,
    ThrottledError,
    TransientError,
)
from tests.support import FakeTime


def throttled(retry_after: float | None) -> ThrottledError:
    return ThrottledError("slow", status=429, sub_status=3200, retry_after=retry_after)


def failing(*errors: CosmosError) -> Callable[[Passage], Awaitable[str]]:
    """Fails with these, one after the other, and then succeeds."""
    left = list(errors)

    async def operation(_: Passage) -> str:
        if left:
            raise left.pop(0)
        return "done"

    return operation


@pytest.mark.parametrize(
    ("errors", "waits"),
    [
        pytest.param([], [], id="nothing fails"),
        pytest.param([throttled(1.5)], [1.5], id="a hint is obeyed"),
        pytest.param([throttled(1.5), throttled(0.2)], [1.5, 0.2], id="each hint anew"),
        pytest.param([throttled(None), throttled(None)], [0.05, 0.1], id="no hint: doubling"),
        pytest.param([TransientError("x")] * 3, [0.05, 0.1, 0.2], id="transient: doubling"),
    ],
)
async def test_it_waits_as_told_and_tries_again(
    errors: list[CosmosError], waits: list[float]
) -> None:
    """Until the operation succeeds."""
    clock, effort = FakeTime(), RequestStats()

    result = await clock.retrier().run(
        failing(*errors), partition="p", deadline=clock.deadline(), effort=effort
    )

    assert result == "done"
    assert sum(waits) <= sum(clock.slept) <= sum(waits) + 0.1 * effort.throttled
    assert effort.requests == len(errors) + 1
    assert effort.throttled == sum(isinstance(each, ThrottledError) for each in errors)


async def test_what_retrying_cannot_help_is_raised_at_once() -> None:
    """Nothing is waited for."""
    clock = FakeTime()

    with pytest.raises(ConfigurationError):
        await clock.retrier().run(
            failing(ConfigurationError("no")),
            partition="p",
            deadline=clock.deadline(),
            effort=RequestStats(),
        )

    assert clock.slept == []


@pytest.mark.parametrize("error", [throttled(5.0), TransientError("x")])
async def test_it_gives_up_before_the_budget_is_overdrawn(error: CosmosError) -> None:
    """A wait that would end too late is not begun."""
    clock = FakeTime()
    started = clock.now

    with pytest.raises(DeadlineExceededError) as caught:
        await clock.retrier().run(
            failing(*[error] * 1000),
            partition="p",
            deadline=clock.deadline(4.0),
            effort=RequestStats(),
        )

    assert clock.now - started <= 4.0
    assert isinstance(caught.value.__cause__, type(error))


async def test_a_429_holds_up_everybody_on_that_partition_only() -> None:
    """The budget is the partition's, so the hint is for all who write there."""
    clock, effort = FakeTime(), RequestStats()
    retrier = clock.retrier()
    gate = retrier.gates.of("a")
    gate.refuse(gate.take(1), 3.0)

    await retrier.run(failing(), partition="b", deadline=clock.deadline(), effort=effort)
    assert clock.slept == []

    await retrier.run(failing(), partition="a", deadline=clock.deadline(), effort=effort)
    assert clock.slept == pytest.approx([3.05], abs=0.03)


async def test_a_449_holds_up_nobody_else() -> None:
    """It is about one document, not about the partition's budget."""
    clock, effort = FakeTime(), RequestStats()
    retrier = clock.retrier()
    error = ThrottledError("busy", status=449, sub_status=0, retry_after=1.0)

    await retrier.run(failing(error), partition="a", deadline=clock.deadline(), effort=effort)

    assert clock.slept == [1.0]
    assert retrier.gates.of("a").epoch == 0


async def test_a_gate_that_opens_too_late_spends_the_budget() -> None:
    """Without sending anything, and without keeping its place."""
    clock, effort = FakeTime(), RequestStats()
    retrier = clock.retrier()
    gate = retrier.gates.of("a")
    gate.refuse(gate.take(1), 10.0)

    for _ in range(3):
        with pytest.raises(DeadlineExceededError, match=r"wait 10\.\d s more"):
            await retrier.run(failing(), partition="a", deadline=clock.deadline(5.0), effort=effort)

    assert effort.requests == 0


async def test_a_refusal_is_heard_by_those_who_wait_already() -> None:
    """They take a new place in the order, behind the hint."""
    clock, effort = FakeTime(), RequestStats()
    retrier = Retrier(gates=RateLimiters(clock), sleep=clock.sleep, jitter=lambda: 0.0)
    gate = retrier.gates.of("a")
    first = gate.take(100)
    started = clock.now
    waiting = asyncio.create_task(
        retrier.run(failing(), partition="a", deadline=clock.deadline(), effort=effort)
    )
    await asyncio.sleep(0)
    gate.refuse(first, 5.0)

    assert await waiting == "done"
    assert clock.now - started >= 5.0


async def test_a_load_is_sent_in_parts_that_the_pace_allows() -> None:
    """How many operations, the operation is told."""
    clock, effort, sent = FakeTime(), RequestStats(), list[int]()
    retrier = Retrier(gates=RateLimiters(clock), sleep=clock.sleep, jitter=lambda: 0.0)

    async def operation(passage: Passage) -> None:
        sent.append(passage.operations)
        passage.charge(6.0 * passage.operations)

    for left in (100, 100, 3):
        await retrier.run(
            operation,
            partition="a",
            deadline=clock.deadline(),
            effort=effort,
            load=Load(waiting=lambda left=left: left),  # type: ignore[misc] # binds the loop's
        )

    assert sent[0] < sent[1] <= 100
    assert sent[2] == 3
    assert effort.charge == 6.0 * sum(sent)


async def test_who_is_waited_for_comes_before_what_nobody_waits_for() -> None:
    """Of a load one request has a place in the order, however many there are."""
    clock, effort, order = FakeTime(), RequestStats(), list[str]()
    retrier = Retrier(gates=RateLimiters(clock), sleep=clock.sleep, jitter=lambda: 0.0)
    gate = retrier.gates.of("a")
    gate.refuse(gate.take(1), 1.0)

    def run(name: str, load: Load | None) -> asyncio.Task[None]:
        async def operation(_: Passage) -> None:
            order.append(name)

        work = retrier.run(
            operation, partition="a", deadline=clock.deadline(), effort=effort, load=load
        )
        return asyncio.create_task(work)

    load = Load(waiting=lambda: 10)
    tasks = [run("load", load) for _ in range(4)]
    await asyncio.sleep(0)
    tasks.append(run("request", None))
    await asyncio.gather(*tasks)

    assert order.index("request") <= 1


async def test_a_ceiling_is_kept_and_holds_up_nobody_else() -> None:
    """Request units a second, over all partitions."""
    clock, effort = FakeTime(), RequestStats()
    retrier = clock.retrier()
    load = Load(waiting=lambda: 10, ceilings=(RateLimiter(clock, 100.0),))
    started = clock.now

    async def operation(passage: Passage) -> None:
        passage.charge(6.0 * passage.operations)

    for partition in ("a", "b") * 100:
        await retrier.run(
            operation, partition=partition, deadline=clock.deadline(), effort=effort, load=load
        )
    seconds = clock.now - started
    assert effort.charge / seconds == pytest.approx(100.0, rel=0.1)

    await retrier.run(operation, partition="a", deadline=clock.deadline(), effort=effort)
    assert clock.now - started == seconds


async def test_nobody_waits_for_others_beyond_its_budget() -> None:
    """Neither for a place in the order, which somebody with more time has."""
    clock, effort = FakeTime(), RequestStats()
    retrier = clock.retrier()
    load = Load(waiting=lambda: 1)

    async with held(retrier.gates.of("a").turn, clock.deadline()):
        with pytest.raises(DeadlineExceededError, match="others"):
            await retrier.run(
                failing(), partition="a", deadline=clock.deadline(0.01), effort=effort, load=load
            )
    assert effort.requests == 0

    await retrier.run(failing(), partition="a", deadline=clock.deadline(), effort=effort, load=load)
    assert effort.requests == 1


async def test_a_large_answer_does_not_make_operations_dear() -> None:
    """What somebody waits for may be a query, or many events in one request."""
    clock = FakeTime()
    retrier = clock.retrier()
    gate = retrier.gates.of("a")
    before = gate.operations

    async def query(passage: Passage) -> None:
        passage.charge(5_000.0)

    for _ in range(20):
        await retrier.run(query, partition="a", deadline=clock.deadline(), effort=RequestStats())

    assert gate.operations == before


async def test_a_cancelled_writer_leaves_its_turn_to_the_next() -> None:
    """Nobody waits for one that is gone, nor for what it had reserved."""
    clock = FakeTime()
    stopped = asyncio.Event()

    async def sleep(seconds: float) -> None:
        if not stopped.is_set():
            await stopped.wait()
        await clock.sleep(seconds)

    retrier = Retrier(gates=RateLimiters(clock), sleep=sleep, jitter=lambda: 0.0)
    gate = retrier.gates.of("a")
    gate.refuse(gate.take(1), 1.0)
    load = Load(waiting=lambda: 100)

    def run() -> asyncio.Task[str]:
        work = retrier.run(
            failing(), partition="a", deadline=clock.deadline(), effort=RequestStats(), load=load
        )
        return asyncio.create_task(work)

    first, second, third = run(), run(), run()
    await asyncio.sleep(0)
    first.cancel()
    second.cancel()
    stopped.set()

    assert await asyncio.wait_for(third, 5) == "done"
    assert gate.take(1).wait < 1.0


def test_waits_are_not_synchronised() -> None:
    """Two retriers draw different jitter."""
    assert (
        Retrier(gates=FakeTime().retrier().gates).jitter()
        != Retrier(gates=FakeTime().retrier().gates).jitter()
    )
