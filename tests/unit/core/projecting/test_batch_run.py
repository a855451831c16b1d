from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import gc
import tracemalloc
from collections.abc import AsyncGenerator, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import pytest

from core import projection
from core.errors import ConfigurationError, DeadlineExceededError, TransientError
from core.model.registry import ProjectionModule
from core.projecting.batch_result import BatchResult
from core.projecting.batch_run import BatchRun
from core.projecting.derivation import derive
from core.projecting.fan_out import FanOut
from core.projecting.processor import BatchProcessor
from core.projecting.run_cache import BatchRunCache
from core.projecting.turn import ENDLESS_TURN
from core.throttling.deadline import Deadline
from core.writing.writes import Write, WriteResult
from tests.apps.follows.followship import Followed, WasFollowed
from tests.support import (
    CAUSE,
    LIMITS,
    FakeTime,
    MemoryContainer,
    followed,
    processor,
    refusal,
    user,
)

CHUNK_SIZE = 1_000
COUNT = 3 * CHUNK_SIZE + CHUNK_SIZE // 2
DENIED = pytest.raises(ConfigurationError)


@dataclass
class Code:
    """What is deployed: how many streams it fans out to, and what it does on the way."""

    count: int = COUNT
    streams: int = 1
    mark: int = 0
    bad: int = -1
    pulled: int = 0


code = Code()


@projection(name="fan.out")
def fan_out(event: Followed) -> Iterator[WasFollowed]:
    """As the deployed code says; counts how many were asked for."""
    for number in range(code.count):
        code.pulled += 1
        if number == code.bad:
            raise ValueError("bad")
        follower = user(code.mark) if code.mark else event.user_id
        yield WasFollowed(user_id=user(number % code.streams + 2), follower=follower)


FAN = ProjectionModule(name="fan", projections=(fan_out,))
RID, OTHER_RID = "3FIlAOzjvygBAAAAAAAAAA==", "3FIlAP-jvygBAAAAAAAAAA=="
BATCH = [followed(1, 2, _rid=RID, _etag="1", _lsn=7)]


@dataclass
class World:
    """Containers that outlive processes; rejects the sends whose numbers are planned."""

    refused: tuple[int, ...] = ()
    sent: int = 0
    clock: FakeTime = field(default_factory=FakeTime)
    letters: MemoryContainer = field(default_factory=MemoryContainer)
    leases: MemoryContainer = field(default_factory=MemoryContainer)

    def __post_init__(self) -> None:
        self.events = MemoryContainer(before=self._before)

    async def _before(self, _: str) -> None:
        self.sent += 1
        if self.sent in self.refused:
            raise refusal(403)

    def process(self) -> BatchProcessor:
        """A new process that remembers nothing."""
        return processor(self.events, self.letters, self.clock, self.leases)

    @property
    def cursors(self) -> list[dict[str, Any]]:
        return list(self.leases.documents.values())


@pytest.fixture(autouse=True)
def deployed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The code as it is at first; and small chunks, so that the tests are quick."""
    global code  # noqa: PLW0603 - what is deployed
    code = Code()
    for module in ("fan_out", "batch_run"):
        monkeypatch.setattr(f"core.projecting.{module}.CHUNK_SIZE", CHUNK_SIZE)


async def test_a_large_fan_out_is_streamed() -> None:
    """Never much more of it is held than is written at once."""
    world, ahead = World(), 0

    async def before(_: str) -> None:
        nonlocal ahead
        ahead = max(ahead, code.pulled - len(world.events.documents))

    world.events.before = before

    outcome = await world.process().process(FAN, BATCH, world.clock.deadline())

    assert outcome.derived == len(world.events.documents) == COUNT
    assert ahead <= 2 * CHUNK_SIZE


async def test_it_goes_on_where_it_stopped() -> None:
    """On a retry in the same process nothing is sent or derived twice."""
    world = World(refused=(25,))
    process = world.process()
    with DENIED:
        await process.process(FAN, BATCH, world.clock.deadline())

    outcome = await process.process(FAN, BATCH, world.clock.deadline())

    assert (outcome.derived, outcome.already_written) == (COUNT, 2_400)
    assert len(world.events.documents) == COUNT
    assert world.sent == COUNT // 100 + 1
    assert code.pulled == COUNT


async def test_another_process_goes_on_at_the_cursor() -> None:
    """What was written before is derived again, for that it is a function, but not written."""
    world = World(refused=(25,))
    with DENIED:
        await world.process().process(FAN, BATCH, world.clock.deadline())
    assert [progress["written"] for progress in world.cursors] == [2_000]

    outcome = await world.process().process(FAN, BATCH, world.clock.deadline())

    assert (outcome.derived, outcome.already_written) == (COUNT, 2_000)
    assert len(world.events.documents) == COUNT
    assert world.sent == 25 + (COUNT - 2_000) // 100
    assert world.cursors == []


@pytest.mark.parametrize(("streams", "refused"), [(1, 25), (7, 30), (1_200, 2_500)])
async def test_ids_are_the_same_with_and_without_a_cursor(streams: int, refused: int) -> None:
    """Ordinals count on over what was skipped."""
    code.streams = streams
    interrupted, straight = World(refused=(refused,)), World()
    with DENIED:
        await interrupted.process().process(FAN, BATCH, interrupted.clock.deadline())
    assert interrupted.cursors

    await interrupted.process().process(FAN, BATCH, interrupted.clock.deadline())
    await straight.process().process(FAN, BATCH, straight.clock.deadline())

    assert interrupted.events.documents == straight.events.documents


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"mark": 9}, id="other fields"),
        pytest.param({"streams": 3}, id="other streams"),
        pytest.param({"count": 1_500}, id="fewer events"),
        pytest.param({"bad": 1_500}, id="a failure where there was none"),
    ],
)
async def test_changed_code_begins_anew(
    change: dict[str, int], caplog: pytest.LogCaptureFixture
) -> None:
    """The fingerprint of what was emitted so far is another one."""
    world = World(refused=(25,))
    with DENIED:
        await world.process().process(FAN, BATCH, world.clock.deadline())
    for name, value in change.items():
        setattr(code, name, value)
    afresh = World()
    await afresh.process().process(FAN, BATCH, afresh.clock.deadline())
    sent = world.sent

    outcome = await world.process().process(FAN, BATCH, world.clock.deadline())

    assert "fan_out.restarted" in caplog.text
    assert outcome.already_written == 0
    assert world.sent - sent == afresh.sent
    assert afresh.events.documents.items() <= world.events.documents.items()
    assert world.letters.documents.keys() == afresh.letters.documents.keys()


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"_rid": OTHER_RID}, id="another container"),
        pytest.param({"_rid": "?"}, id="an unknown container"),
        pytest.param({"time": "2026-02-03T04:05:06.000000Z"}, id="replaced: another time"),
        pytest.param(
            {"meta": {"correlationId": "d", "hops": 0}}, id="replaced: another correlation"
        ),
    ],
)
@pytest.mark.parametrize("where", ["same", "other"])
async def test_another_source_event_with_the_same_id_starts_anew(
    changes: dict[str, Any], where: str
) -> None:
    """Nothing of what the first one led to counts as written, in this process or another."""
    world = World(refused=(25,))
    process = world.process()
    with DENIED:
        await process.process(FAN, BATCH, world.clock.deadline())
    assert world.cursors
    world.events.documents.clear()
    (event,) = BATCH
    other = {**event, "_etag": "2", **changes}

    engine = {"same": process, "other": world.process()}[where]
    result = await engine.process(FAN, [other], world.clock.deadline())

    assert result.derived == len(world.events.documents) == COUNT
    assert result.already_written == 0


class Ticking:
    """A clock that moves by itself: every look at it takes a second."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        """Seconds."""
        self.now += 1
        return self.now


async def test_catching_up_may_take_more_than_one_attempt() -> None:
    """A budget that is too small for it is no dead end."""
    world = World(refused=(35,))
    with DENIED:
        await world.process().process(FAN, BATCH, world.clock.deadline())
    process, sent = world.process(), world.sent
    with pytest.raises(DeadlineExceededError):
        await process.process(FAN, BATCH, Deadline.after(3, Ticking()))
    assert world.sent == sent

    outcome = await process.process(FAN, BATCH, world.clock.deadline())

    assert (outcome.derived, outcome.already_written) == (COUNT, 3_000)
    assert len(world.events.documents) == COUNT


async def test_the_budget_ends_an_attempt_in_the_midst_of_success() -> None:
    """The host would kill the worker; what was written is not written again."""
    world = World()
    process, clock = world.process(), world.clock

    async def before(_: str) -> None:
        clock.now += 1

    world.events.before = before
    with pytest.raises(DeadlineExceededError):
        await process.process(FAN, BATCH, clock.deadline(12))
    assert len(world.events.documents) == 1_200

    outcome = await process.process(FAN, BATCH, clock.deadline(600))

    assert (outcome.derived, outcome.already_written) == (COUNT, 1_200)
    assert len(world.events.batches) == COUNT // 100


async def test_what_a_chunk_has_come_to_is_noted_when_the_budget_ends_with_it() -> None:
    """Otherwise a whole chunk would be written once more."""
    world = World()

    async def before(_: str) -> None:
        world.clock.now += 1

    world.events.before = before
    with pytest.raises(DeadlineExceededError):
        await world.process().process(FAN, BATCH, world.clock.deadline(10))

    assert len(world.events.documents) == CHUNK_SIZE
    assert [progress["written"] for progress in world.cursors] == [CHUNK_SIZE]


async def test_small_events_around_a_large_one_are_written_too() -> None:
    """Before and behind it, whichever process comes to them."""

    @projection(name="mixed.out")
    def mixed(event: Followed) -> Iterator[WasFollowed]:
        for _ in range(COUNT if event.to_follow == user(2) else 1):
            yield WasFollowed(user_id=event.to_follow, follower=event.user_id)

    module = ProjectionModule(name="mixed", projections=(mixed,))
    pairs = [(1, 3), (4, 2), (1, 5), (6, 2), (1, 7)]
    batch = [followed(*pair, _rid=RID) for pair in pairs]
    world = World(refused=(15, 30, 58))
    for _ in world.refused:
        with DENIED:
            await world.process().process(module, batch, world.clock.deadline())

    outcome = await world.process().process(module, batch, world.clock.deadline())

    assert outcome.derived == len(world.events.documents) == 2 * COUNT + 3
    assert world.cursors == []


async def test_what_cosmos_never_takes_is_parked() -> None:
    """Its event, and no other; otherwise the batch would be delivered for ever."""

    async def before(name: str) -> None:
        if name.endswith("3"):
            raise refusal(400)

    code.count, code.streams = 3, 3
    world = World()
    world.events.before = before

    outcome = await world.process().process(FAN, BATCH, world.clock.deadline())

    assert (outcome.derived, outcome.parked) == (2, 1)
    (letter,) = world.letters.documents.values()
    assert letter["eventId"] == "1-2"
    assert letter["reason"] == "Cosmos DB rejected a derived event with status 400."


async def test_a_container_with_another_partition_key_parks_nothing() -> None:
    """No event is to blame for it."""

    async def before(_: str) -> None:
        raise refusal(400, sub_status=1001)

    world = World()
    world.events.before = before

    with DENIED:
        await world.process().process(FAN, BATCH, world.clock.deadline())

    assert world.letters.documents == {}


@pytest.mark.parametrize("streams", [1, 8_000])
def test_memory_stays_flat(streams: int) -> None:
    """Drawing 8,000 takes no more than twice what drawing 2,000 takes."""

    def peak(count: int) -> int:
        code.count, code.streams = count, streams
        (fan_out,) = derive(FAN, BATCH)
        assert isinstance(fan_out, FanOut)
        gc.collect()
        tracemalloc.start()
        while not fan_out.is_done:
            fan_out.next_writes(ENDLESS_TURN)
        _, highest = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return highest

    assert peak(8_000) < 2 * peak(2_000)


async def test_of_large_events_fewer_are_drawn_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bytes are bounded as well as their number; cursors and fingerprints hold all the same."""
    for module in ("core.projecting.fan_out", "core.projecting.batch_run"):
        monkeypatch.setattr(f"{module}.MAX_CHUNK_BYTES", 10_000)
    world, ahead = World(refused=(25,)), 0
    code.count = 5 * CHUNK_SIZE // 2

    async def before(name: str) -> None:
        nonlocal ahead
        ahead = max(ahead, code.pulled - len(world.events.documents))
        await World._before(world, name)

    world.events.before = before
    with DENIED:
        await world.process().process(FAN, BATCH, world.clock.deadline())
    assert ahead < CHUNK_SIZE // 2
    (cursor,) = world.cursors

    outcome = await world.process().process(FAN, BATCH, world.clock.deadline())

    assert outcome.already_written == cursor["written"] > 0
    assert outcome.derived == len(world.events.documents) == code.count


async def test_the_budget_ends_what_only_takes_the_processor() -> None:
    """Others have their turn meanwhile; what was derived is not derived again."""
    world, turns = World(), 0

    @projection(name="slow.out")
    def slow(event: Followed) -> Iterator[WasFollowed]:
        world.clock.now += 1
        yield WasFollowed(user_id=event.to_follow, follower=event.user_id)

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    module = ProjectionModule(name="slow", projections=(slow,))
    batch = [followed(1, number) for number in range(2, 202)]
    process, beside = world.process(), asyncio.create_task(other())
    with pytest.raises(DeadlineExceededError, match="while projecting"):
        await process.process(module, batch, world.clock.deadline(60))
    beside.cancel()
    begun = world.clock.now

    outcome = await process.process(module, batch, world.clock.deadline(600))

    assert turns >= 2
    assert begun < 1_000 + 100
    assert world.clock.now == pytest.approx(1_000 + 200)
    assert outcome.derived == len(world.events.documents) == 200


async def test_others_have_a_turn_between_two_events_of_a_fan_out() -> None:
    """Time counts, not the number of events."""
    world, numbers = World(), list[int]()
    code.count = 50

    async def other() -> None:
        while True:
            numbers.append(code.pulled)
            await asyncio.sleep(0)

    beside = asyncio.create_task(other())
    await world.process().process(FAN, BATCH, Deadline.after(10_000, Ticking()))
    beside.cancel()

    assert len(world.events.documents) == 50
    assert max(later - earlier for earlier, later in pairwise(numbers)) == 1


@dataclass
class SlowProjection:
    """A projection that computes before each derived event; `share` is its part of a processor."""

    clock: FakeTime
    seconds: float
    share: float = 1.0
    count: int = 20
    cpu_now: float = 0.0
    runs: int = 0

    def module(self) -> ProjectionModule:
        @projection(name="slow.out")
        def slow(event: Followed) -> Iterator[WasFollowed]:
            self.runs += 1
            for _ in range(self.count):
                if event.to_follow == user(2):
                    self.cpu_now += self.seconds
                    self.clock.now += self.seconds / self.share
                yield WasFollowed(user_id=event.to_follow, follower=event.user_id)

        return ProjectionModule(name="slow", projections=(slow,))

    async def deliver(self, world: World) -> tuple[int, BatchResult]:
        """Give one process a batch until it is done, 60 s for each attempt; count the attempts."""
        process = dataclasses.replace(world.process(), cpu_clock=lambda: self.cpu_now)
        module, batch = self.module(), [followed(1, 3), followed(1, 2), followed(1, 4)]
        for attempt in range(1, 100):
            with contextlib.suppress(DeadlineExceededError):
                return attempt, await process.process(module, batch, world.clock.deadline(60))
        raise AssertionError("It is never done.")


@pytest.mark.parametrize(("seconds", "share"), [(7.0, 1.0), (7.0, 0.1), (100.0, 1.0)])
async def test_what_twice_computes_for_longer_than_an_attempt_is_parked(
    seconds: float, share: float
) -> None:
    """Alone, and however small its part of the processor is."""
    world = World()
    slow = SlowProjection(world.clock, seconds, share)

    attempts, result = await slow.deliver(world)

    assert (attempts > 2, result.derived, result.parked) == (True, 40, 1)
    (letter,) = world.letters.documents.values()
    assert (letter["eventId"], letter["errorType"]) == ("1-2", "ProjectionTooSlowError")
    assert "twice used 60 s of processor time" in letter["reason"]
    assert slow.runs == 3


@pytest.mark.parametrize(("seconds", "share"), [(5.9, 1.0), (1.0, 0.01), (0.0001, 0.000001)])
async def test_a_busy_host_makes_no_event_poison(seconds: float, share: float) -> None:
    """Where the time passes but others use the processor, or a second attempt finishes it."""
    world = World()
    slow = SlowProjection(world.clock, seconds, share)

    attempts, result = await slow.deliver(world)

    assert (attempts > 1, result.derived, result.parked) == (True, 60, 0)
    assert slow.runs == 3


async def test_a_fan_out_that_completes_chunks_is_never_too_slow() -> None:
    """What a chunk took is not added to what the next one takes."""
    world = World()
    slow = SlowProjection(world.clock, 0.05, count=COUNT)

    attempts, result = await slow.deliver(world)

    assert slow.cpu_now > 2 * LIMITS.cpu_seconds
    assert (attempts > 1, result.derived, result.parked) == (True, 3 * COUNT, 0)


async def test_what_nobody_acknowledged_is_not_done() -> None:
    """Even where the writer returns."""
    world = World()

    class Forgetful:
        async def write(self, *_: object) -> AsyncGenerator[WriteResult, None]:
            nothing: list[WriteResult] = []
            for result in nothing:
                yield result

    process = dataclasses.replace(world.process(), writer=Forgetful())
    with pytest.raises(TransientError, match="1000 derived events"):
        await process.process(FAN, BATCH, world.clock.deadline())


def test_of_failed_runs_the_oldest_are_dropped() -> None:
    """There may be only so many, and they may hold only so much."""
    many, large, sources = BatchRunCache(), BatchRunCache(), BatchRunCache()
    write = Write("s", "i", b"{}", CAUSE)
    for number in range(65):
        many.put(number, BatchRun(FAN, iter(()), limits=LIMITS), [])
    for number in range(3):
        run = BatchRun(FAN, iter(()), limits=LIMITS)
        run.pending = {("s", str(nth)): write for nth in range(60_000)}
        large.put(number, run, [])
        batch = [{"data": "x" * 7_000_000}]
        sources.put(number, BatchRun(FAN, iter(()), limits=LIMITS), batch)

    assert many.pop(0) is None
    assert many.pop(1) is not None
    assert [large.pop(number) is None for number in range(3)] == [True, False, False]
    assert [sources.pop(number) is None for number in range(3)] == [True, False, False]


def test_a_run_that_ends_within_a_chunk_counts_what_it_holds() -> None:
    """The cache of failed runs is bounded by it."""
    run = BatchRun(FAN, derive(FAN, BATCH), limits=LIMITS)
    turn = dataclasses.replace(ENDLESS_TURN, ends=-1.0)

    assert run.fill_pending(turn)
    assert run.fill_pending(turn)

    count, size = run.held
    assert count == code.pulled == 2
    assert 500 < size < 2_000
