"""`park_stream` keeps the order of a stream, however its events are stored and delivered."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from azure.cosmos.aio import DatabaseProxy

from core import Event, projection
from core.application import Application
from core.dead_letters.queries import DeadLetterFilter
from core.errors import ProjectionBlockedError
from core.model.registry import ProjectionModule
from tests.support import dead_letters_of

Open = Callable[[ProjectionModule], Application]


class Went(Event, entity="journey"):
    steps: int

    @property
    def entity_id(self) -> str:
        return "1"


class Stepped(Event, entity="queue"):
    number: int

    @property
    def entity_id(self) -> str:
        return "1"


class Done(Event, entity="done"):
    number: int

    @property
    def entity_id(self) -> str:
        return str(self.number)


class Code:
    """The number on which the ordered projection fails."""

    broken_on = 3


@pytest.fixture(autouse=True)
def broken() -> None:
    Code.broken_on = 3


@projection(name="journeys.steps")
def steps(event: Went) -> Iterator[Stepped]:
    for number in range(event.steps):
        yield Stepped(number=number)


@projection(name="ordered.step", on_failure="park_stream")
def ordered(event: Stepped) -> Iterator[Done]:
    if event.number == Code.broken_on:
        raise ValueError("a bug")
    yield Done(number=event.number)


@projection(name="ordered.step", on_failure="block")
def strict(event: Stepped) -> Iterator[Done]:
    yield from ordered.function(event)  # type: ignore[misc] # a projection gives the events it declares


@projection(name="ordered.step")
def loose(event: Stepped) -> Iterator[Done]:
    yield from ordered.function(event)  # type: ignore[misc] # as above


JOURNEYS = ProjectionModule(name="journeys", projections=(steps,))
ORDERED = ProjectionModule(name="ordered", projections=(ordered,))


def stepped(number: int) -> dict[str, Any]:
    return {
        "id": f"s{number}",
        "streamId": "queue-1",
        "type": "Stepped",
        "version": 1,
        "time": f"2026-01-01T00:00:{number:02d}.000000Z",
        "data": {"number": number},
    }


async def feed(database: DatabaseProxy, kind: str) -> list[dict[str, Any]]:
    """The events of a type in the order of the change feed."""
    items = database.get_container_client("events").query_items_change_feed(start_time="Beginning")
    return [item async for item in items if item["type"] == kind]


async def done(database: DatabaseProxy) -> list[int]:
    return sorted([event["data"]["number"] for event in await feed(database, "Done")])


async def test_events_of_one_transaction_keep_their_order(
    opened: Open, database: DatabaseProxy
) -> None:
    """They share LSN and time, and their ids are hashes; all at once are replayed in order."""
    journeys, application = opened(JOURNEYS), opened(ORDERED)
    went = {**stepped(0), "streamId": "journey-1", "type": "Went", "data": {"steps": 12}}
    await database.get_container_client("events").create_item(went)
    await journeys.project("journeys", [went])
    events = await feed(database, "Stepped")
    numbers = {event["id"]: event["data"]["number"] for event in events}

    await application.project("ordered", events)
    parked = await dead_letters_of(application.dead_letters)
    before = await done(database)
    Code.broken_on = -1
    replayed = await application.dead_letters.replay_page(DeadLetterFilter())

    assert sorted(numbers[str(letter.event_id)] for letter in parked) == list(range(3, 12))
    assert before == [0, 1, 2]
    assert (replayed.succeeded, replayed.failed) == (9, {})
    assert await done(database) == list(range(12))


async def test_an_event_that_is_written_again_keeps_its_place(
    opened: Open, database: DatabaseProxy
) -> None:
    """A late duplicate write moves it to the end of the feed."""
    events = database.get_container_client("events")
    for number in (2, 3, 2):
        await events.upsert_item(stepped(number))
    batch = await feed(database, "Stepped")
    application = opened(ORDERED)

    await application.project("ordered", batch)

    assert [event["id"] for event in batch] == ["s3", "s2"]
    assert [letter.event_id for letter in await dead_letters_of(application.dead_letters)] == ["s3"]
    assert await done(database) == [2]


async def test_a_discarded_event_holds_nothing_up_when_it_comes_again(
    opened: Open, database: DatabaseProxy
) -> None:
    """In its own batch, nor in a later one."""
    application = opened(ORDERED)
    operations = application.dead_letters
    await application.project("ordered", [stepped(3)])
    (letter,) = await dead_letters_of(operations)
    await operations.discard(letter.id, "never mind")

    result = await application.project("ordered", [stepped(3), stepped(4)])
    await application.project("ordered", [stepped(5)])

    assert result.parked == 0
    assert await dead_letters_of(operations) == []
    assert await done(database) == [4, 5]


async def test_a_stream_is_parked_whoever_parked_it(opened: Open, database: DatabaseProxy) -> None:
    """Another host that takes over the lease reads it from the container."""
    first, second = opened(ORDERED), opened(ORDERED)
    await second.project("ordered", [stepped(1)])

    await first.project("ordered", [stepped(3)])
    await second.project("ordered", [stepped(2), stepped(4)])

    letters = await dead_letters_of(second.dead_letters)
    assert [(letter.event_id, letter.error_type) for letter in letters] == [
        ("s3", "ProjectionFailedError"),
        ("s4", "EarlierEventParkedError"),
    ]
    assert await done(database) == [1, 2]


@pytest.mark.parametrize("is_mended", [False, True])
async def test_no_letter_blocks_once_its_projection_parks(opened: Open, *, is_mended: bool) -> None:
    """Whether or not its event succeeds then; that of another lease waits for a replay."""
    blocking = opened(ProjectionModule(name="ordered", projections=(strict,)))
    other = {**stepped(3), "id": "other"}
    for event in (stepped(3), other):
        with pytest.raises(ProjectionBlockedError):
            await blocking.project("ordered", [event])
    Code.broken_on = -1 if is_mended else 3
    application = opened(ProjectionModule(name="ordered", projections=(loose,)))

    await application.project("ordered", [stepped(3)])

    letters = await dead_letters_of(application.dead_letters)
    assert {(letter.event_id, letter.state) for letter in letters} == {
        ("other", "waiting"),
        *([] if is_mended else [("s3", "waiting")]),
    }
