from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from core.errors import (
    BudgetSpentError,
    ConfigurationError,
    CosmosError,
    ThrottledError,
    TransientError,
)
from core.retrying import Effort, Retrier
from tests.support import FakeTime


def throttled(retry_after: float | None) -> ThrottledError:
    return ThrottledError("slow", status=429, sub_status=3200, retry_after=retry_after)


def failing(*errors: CosmosError) -> Callable[[], Awaitable[str]]:
    """Fails with these, one after the other, and then succeeds."""
    left = list(errors)

    async def operation() -> str:
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
    clock, effort = FakeTime(), Effort()

    result = await clock.retrier().run(
        failing(*errors), partition="p", budget=clock.budget(), effort=effort
    )

    assert result == "done"
    assert clock.slept == pytest.approx(waits)
    assert effort.requests == len(errors) + 1
    assert effort.throttled == sum(isinstance(each, ThrottledError) for each in errors)


async def test_what_retrying_cannot_help_is_raised_at_once() -> None:
    """Nothing is waited for."""
    clock = FakeTime()

    with pytest.raises(ConfigurationError):
        await clock.retrier().run(
            failing(ConfigurationError("no")), partition="p", budget=clock.budget(), effort=Effort()
        )

    assert clock.slept == []


@pytest.mark.parametrize("error", [throttled(5.0), TransientError("x")])
async def test_it_gives_up_before_the_budget_is_overdrawn(error: CosmosError) -> None:
    """A wait that would end too late is not begun."""
    clock = FakeTime()
    started = clock.now

    with pytest.raises(BudgetSpentError) as caught:
        await clock.retrier().run(
            failing(*[error] * 1000), partition="p", budget=clock.budget(4.0), effort=Effort()
        )

    assert clock.now - started <= 4.0
    assert isinstance(caught.value.__cause__, type(error))


async def test_a_429_holds_up_everybody_on_that_partition_only() -> None:
    """The budget is the partition's, so the hint is for all who write there."""
    clock, effort = FakeTime(), Effort()
    retrier = clock.retrier()
    await retrier.run(failing(), partition="a", budget=clock.budget(), effort=effort)
    retrier.gates.of("a").close(3.0)

    await retrier.run(failing(), partition="b", budget=clock.budget(), effort=effort)
    assert clock.slept == []

    await retrier.run(failing(), partition="a", budget=clock.budget(), effort=effort)
    assert clock.slept == [3.0]


async def test_a_gate_that_opens_too_late_spends_the_budget() -> None:
    """Without sending anything."""
    clock, effort = FakeTime(), Effort()
    retrier = clock.retrier()
    retrier.gates.of("a").close(10.0)

    with pytest.raises(BudgetSpentError, match=r"wait 10\.0 s more"):
        await retrier.run(failing(), partition="a", budget=clock.budget(5.0), effort=effort)

    assert effort.requests == 0


async def test_a_cancelled_writer_leaves_its_turn_to_the_next() -> None:
    """Nobody waits for one that is gone."""
    clock = FakeTime()
    retrier = clock.retrier()
    retrier.gates.of("a")._limit = 1.0
    release = asyncio.Event()

    async def slow() -> str:
        await release.wait()
        return "slow"

    def run(operation: Callable[[], Awaitable[str]]) -> asyncio.Task[str]:
        work = retrier.run(operation, partition="a", budget=clock.budget(), effort=Effort())
        return asyncio.create_task(work)

    first, second, third = run(slow), run(failing()), run(failing())
    await asyncio.sleep(0)
    release.set()
    await asyncio.sleep(0)
    second.cancel()

    assert await first == "slow"
    assert await asyncio.wait_for(third, 5) == "done"


def test_waits_are_not_synchronised() -> None:
    """Two retriers draw different jitter."""
    assert (
        Retrier(gates=FakeTime().retrier().gates).jitter()
        != Retrier(gates=FakeTime().retrier().gates).jitter()
    )
