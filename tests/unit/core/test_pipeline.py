from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
from azure.core.exceptions import ServiceResponseError

from core import projection
from core.errors import BudgetSpentError, ConfigurationError
from core.registry import ProjectionModule
from projections.followship import Followed, WasFollowed, followers
from tests.support import FakeTime, MemoryContainer, followed, pipeline, refusal, stream

MODULE = ProjectionModule(name="followship", projections=(followers,))
BATCH = [followed(1, 2), followed(1, 3), followed(4, 2)]


async def test_a_batch_delivered_twice_leaves_the_same_documents() -> None:
    """Not one document more."""
    container, clock = MemoryContainer(), FakeTime()
    engine = pipeline(container, MemoryContainer(), clock)

    first = await engine.project(MODULE, BATCH, clock.budget())
    once = dict(container.documents)
    second = await engine.project(MODULE, BATCH, clock.budget())

    assert first.derived == second.derived == 3
    assert container.documents == once
    assert len(once) == 3


async def test_what_was_acknowledged_is_not_sent_again_on_a_retry() -> None:
    """A rewritten document would appear in the change feed once more."""
    broken = True

    async def before(name: str) -> None:
        if broken and name == stream(3):
            raise refusal(503)

    container, clock = MemoryContainer(before=before), FakeTime()
    engine = pipeline(container, MemoryContainer(), clock)
    with pytest.raises(BudgetSpentError):
        await engine.project(MODULE, BATCH, clock.budget(1.0))

    broken = False
    outcome = await engine.project(MODULE, BATCH, clock.budget())

    assert (outcome.derived, outcome.spared) == (3, 2)
    assert [name for name, _ in container.batches] == [stream(2), stream(3)]


FANNED_OUT = 35_000
pulled = 0


@projection(name="fan.out")
def fan_out(event: Followed) -> Iterator[WasFollowed]:
    """Many events into one stream; counts how many were asked for."""
    global pulled  # noqa: PLW0603 - what the tests look at
    for number in range(1, FANNED_OUT + 1):
        pulled = number
        yield WasFollowed(user_id=event.to_follow, follower=event.user_id)


FAN = ProjectionModule(name="fan", projections=(fan_out,))


async def test_a_large_fan_out_is_streamed() -> None:
    """Never much more of it is held than is written at once."""
    ahead = 0

    async def before(_: str) -> None:
        nonlocal ahead
        ahead = max(ahead, pulled - len(container.documents))

    container, clock = MemoryContainer(before=before), FakeTime()

    outcome = await pipeline(container, MemoryContainer(), clock).project(
        FAN, [followed(1, 2)], clock.budget()
    )

    assert outcome.derived == len(container.documents) == FANNED_OUT
    assert ahead <= 20_000


async def test_a_large_fan_out_goes_on_where_it_stopped() -> None:
    """On a retry in the same process; what was acknowledged is not sent again."""
    sent = 0

    async def before(_: str) -> None:
        nonlocal sent
        sent += 1
        if sent == 250:
            raise refusal(403)

    container, clock = MemoryContainer(before=before), FakeTime()
    engine = pipeline(container, MemoryContainer(), clock)
    with pytest.raises(ConfigurationError):
        await engine.project(FAN, [followed(1, 2)], clock.budget())

    outcome = await engine.project(FAN, [followed(1, 2)], clock.budget())

    assert (outcome.derived, outcome.spared) == (FANNED_OUT, 24_900)
    assert len(container.documents) == FANNED_OUT
    assert sent == FANNED_OUT // 100 + 1


flaky = True


@projection(name="flaky.out")
def flaky_out(event: Followed) -> Iterator[WasFollowed]:
    """Fails at first, and not the next time, though it should not."""
    if flaky:
        raise MemoryError
    yield WasFollowed(user_id=event.to_follow, follower=event.user_id)


@projection(name="flaky.steady")
def steady(event: Followed) -> Iterator[WasFollowed]:
    yield WasFollowed(user_id=event.to_follow, follower=event.user_id)


async def test_what_comes_out_otherwise_the_next_time_is_not_taken_for_done() -> None:
    """Only what was acknowledged is spared."""
    global flaky  # noqa: PLW0603 - what changes
    container, letters, clock = MemoryContainer(), MemoryContainer(), FakeTime()
    engine = pipeline(container, letters, clock)
    module = ProjectionModule(name="flaky", projections=(flaky_out, steady))
    create = letters.create_item

    async def fail(_: object) -> None:
        raise refusal(403)

    letters.create_item = fail  # type: ignore[method-assign,assignment] # the case
    with pytest.raises(ConfigurationError):
        await engine.project(module, [followed(1, 2)], clock.budget())
    letters.create_item = create  # type: ignore[method-assign] # as above
    flaky = False

    outcome = await engine.project(module, [followed(1, 2)], clock.budget())

    assert outcome.derived == len(container.documents) == 2


async def test_poison_is_parked_and_the_rest_is_written() -> None:
    """Both are durable when the batch is done."""
    container, letters, clock = MemoryContainer(), MemoryContainer(), FakeTime()
    poison = followed(5, 6, data={"user_id": "no"})

    outcome = await pipeline(container, letters, clock).project(
        MODULE, [BATCH[0], poison, BATCH[1]], clock.budget()
    )

    assert (outcome.derived, outcome.parked) == (2, 1)
    assert len(container.documents) == 2
    assert [each["eventId"] for each in letters.documents.values()] == ["5-6"]


async def test_a_batch_is_not_done_before_its_poison_is_parked() -> None:
    """Otherwise the event would be lost with the checkpoint."""
    letters, clock = MemoryContainer(), FakeTime()

    async def fail(_: object) -> None:
        raise ServiceResponseError("away")

    letters.create_item = fail  # type: ignore[method-assign,assignment] # the case

    with pytest.raises(BudgetSpentError):
        await pipeline(MemoryContainer(), letters, clock).project(
            MODULE, [{"id": "x"}], clock.budget(1.0)
        )


async def test_logs_carry_no_payload(caplog: pytest.LogCaptureFixture) -> None:
    """Names and counts, never what an event holds."""
    caplog.set_level(logging.DEBUG)
    clock = FakeTime()
    poison = followed(5, 6, data={"user_id": "S3CRET", "to_follow": "S3CRET"})

    await pipeline(MemoryContainer(), MemoryContainer(), clock).project(
        MODULE, [poison], clock.budget()
    )

    assert "event.parked" in caplog.text
    assert "S3CRET" not in caplog.text
