"""Dead letters from parking to their end, through the application and the embedded Cosmos DB."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import azure.functions as func
import pytest
from azure.cosmos.aio import DatabaseProxy

from core import Event, projection
from core.application import Application
from core.dead_letters.dead_letter import DeadLetter
from core.dead_letters.queries import DeadLetterFilter
from core.errors import InvalidRequestError, ProjectionBlockedError, UnknownResourceError
from core.functions.routes import register_routes
from core.model.registry import ProjectionModule, Registry
from core.operations.dead_letters import DeadLetterOperations
from core.throttling.deadline import Deadline
from local.cosmos import EmbeddedCosmos
from tests.apps import follows
from tests.commands import EXAMPLE, run_in
from tests.support import TIME, dead_letters_of, followed, stream


class Asked(Event, entity="oracle"):
    number: int

    @property
    def entity_id(self) -> str:
        return "1"


class Told(Event, entity="answer"):
    number: int

    @property
    def entity_id(self) -> str:
        return str(self.number)


class Oracle:
    """A projection with a bug that can be fixed, and another one beside it."""

    broken = True


@projection(name="oracle.answers")
def answers(event: Asked) -> Iterator[Told]:
    yield Told(number=event.number)
    if Oracle.broken:
        raise ValueError("a bug")


@projection(name="oracle.echo")
def echo(event: Asked) -> Iterator[Told]:
    yield Told(number=event.number + 100)


MODULE = ProjectionModule(name="oracle", projections=(answers, echo))


def asked(number: int, **changes: Any) -> dict[str, Any]:
    return {
        "id": f"q{number}",
        "streamId": "oracle-1",
        "type": "Asked",
        "version": 1,
        "time": TIME,
        "data": {"number": number},
        **changes,
    }


@pytest.fixture
async def application(
    environ: dict[str, str], database: DatabaseProxy
) -> AsyncIterator[Application]:
    del database
    registry = Registry(modules={"oracle": MODULE}, events={}, commands={}, entities={})
    Oracle.broken = True
    application = Application(registry, environ)
    yield application
    await application.close()


@pytest.fixture
def operations(application: Application) -> DeadLetterOperations:
    return application.dead_letters


def at(number: int, **changes: Any) -> dict[str, Any]:
    """An event whose number is its second."""
    return asked(number, time=f"2026-01-01T00:00:{number:02d}.000000Z", **changes)


async def park(
    application: Application, database: DatabaseProxy, *documents: dict[str, Any]
) -> None:
    for document in documents:
        await database.get_container_client("events").create_item(document)
    await application.project("oracle", list(documents))


async def derived(database: DatabaseProxy) -> list[int]:
    items = database.get_container_client("events").query_items("SELECT * FROM c")
    return sorted([item["data"]["number"] async for item in items if item.get("type") == "Told"])


def function(application: Application, name: str) -> Any:
    app = func.FunctionApp()
    register_routes(app, application)
    functions = {
        function.get_function_name(): function.get_user_function()
        for function in app.get_functions()
    }
    return functions[name]


async def only(operations: DeadLetterOperations) -> DeadLetter:
    (letter,) = await dead_letters_of(operations)
    return letter


@pytest.mark.parametrize("replica_lag", [600.0])
async def test_the_status_of_an_event_has_what_another_process_has_just_parked(
    application: Application, environ: dict[str, str], database: DatabaseProxy
) -> None:
    """However far the replica lags that lists the dead letters."""
    other = Application(application.registry, environ)
    assert not await dead_letters_of(other.dead_letters)
    await park(application, database, asked(1))

    status = await other.status.event_status("oracle", "oracle-1", "q1")

    await other.close()
    assert len(status.dead_letter_reasons) == 1


async def test_after_the_fix_a_replayed_letter_is_gone(
    application: Application, operations: DeadLetterOperations, database: DatabaseProxy
) -> None:
    """And what its event implies is there; what was there before is not doubled."""
    await park(application, database, asked(1))
    letter = await only(operations)
    assert await derived(database) == [101]

    Oracle.broken = False
    replayed = await operations.replay(letter.id)

    assert (replayed.reason, replayed.derived) == (None, 1)
    assert await derived(database) == [1, 101]
    assert await dead_letters_of(operations) == []


async def test_a_letter_that_fails_again_is_kept(
    application: Application, operations: DeadLetterOperations, database: DatabaseProxy
) -> None:
    """With one more attempt."""
    await park(application, database, asked(1))

    replayed = await operations.replay((await only(operations)).id)

    kept = await only(operations)
    assert replayed.reason == kept.reason == "Projection oracle.answers raised ValueError."
    assert (kept.attempts, kept.first_failed_at < kept.last_failed_at) == (2, True)
    assert await derived(database) == [101]


async def test_replaying_twice_and_beside_the_trigger_is_harmless(
    application: Application, operations: DeadLetterOperations, database: DatabaseProxy
) -> None:
    """Ids are those of the first attempt."""
    event = asked(1)
    await park(application, database, event)
    letter = await only(operations)
    Oracle.broken = False

    await application.project("oracle", [event])
    await operations.replay(letter.id)
    with pytest.raises(UnknownResourceError, match="There is no dead letter"):
        await operations.replay(letter.id)

    assert await derived(database) == [1, 101]


async def test_an_event_that_vanished_keeps_its_letter(
    application: Application, operations: DeadLetterOperations, database: DatabaseProxy
) -> None:
    """With that reason."""
    await park(application, database, asked(1))
    await database.get_container_client("events").delete_item("q1", "oracle-1")

    replayed = await operations.replay((await only(operations)).id)

    assert replayed.reason == "The event does not exist."
    assert (await only(operations)).error_type == "SourceEventNotFound"


async def test_an_unreadable_event_is_replayed_for_the_whole_module(
    application: Application, operations: DeadLetterOperations, database: DatabaseProxy
) -> None:
    """A projection of it that fails then gets a letter of its own."""
    broken = asked(1, data={"number": "none"})
    await park(application, database, broken)
    letter = await only(operations)
    mended = asked(1)
    await database.get_container_client("events").upsert_item(mended)

    replayed = await operations.replay(letter.id)

    assert (letter.projection, replayed.reason) == (None, None)
    assert (await only(operations)).projection == "oracle.answers"
    assert await derived(database) == [101]


async def test_a_discarded_letter_is_kept_with_its_reason(
    application: Application, operations: DeadLetterOperations, database: DatabaseProxy
) -> None:
    """And its event is not parked again."""
    event = asked(1)
    await park(application, database, event)

    await operations.discard((await only(operations)).id, "a test event")
    await application.project("oracle", [event])

    assert await dead_letters_of(operations) == []
    (kept,) = await dead_letters_of(operations, "oracle.answers", discarded=True)
    assert kept.discard_reason == "a test event"


@pytest.mark.parametrize("reason", ["", "  ", "x" * 1001])
async def test_a_discard_needs_a_reason(operations: DeadLetterOperations, reason: str) -> None:
    """Of some length."""
    with pytest.raises(InvalidRequestError) as caught:
        await operations.discard("any", reason)

    assert caught.value.errors[0].field == "reason"


@projection(name="strict.answers", on_failure="block")
def strict(event: Asked) -> Iterator[Told]:
    yield from answers(event)  # type: ignore[misc] # a projection gives the events it declares


STRICT = ProjectionModule(name="strict", projections=(strict, echo))


async def block(application: Application, *documents: dict[str, Any]) -> None:
    """Project as the host does, and find the line blocked."""
    with pytest.raises(ProjectionBlockedError, match=r"strict\.answers failed on event q1"):
        await application.services.processor.process(STRICT, documents, Deadline.after(20))


async def blocking(operations: DeadLetterOperations) -> list[object]:
    """The ids of the events that block leases."""
    dead_letters = operations.services.dead_letters
    return [one.event_id for one in await dead_letters.blocking(Deadline.after(20), limit=20)]


async def test_a_line_waits_for_its_event_and_goes_on_once_it_is_mended(
    application: Application, operations: DeadLetterOperations, database: DatabaseProxy
) -> None:
    """Everything else of the batch is done; the blockage is told, counted, and then gone."""
    events = [asked(1), asked(2)]
    for _ in range(3):
        await block(application, *events)

    (letter,) = [
        dead_letter
        for dead_letter in await dead_letters_of(operations)
        if dead_letter.event_id == "q1"
    ]
    assert (letter.attempts, letter.state) == (3, "blocking")
    assert await blocking(operations) == ["q1", "q2"]
    assert await derived(database) == [101, 102]

    Oracle.broken = False
    await application.services.processor.process(STRICT, events, Deadline.after(20))

    assert await blocking(operations) == []
    assert await dead_letters_of(operations) == []
    assert await derived(database) == [1, 2, 101, 102]


async def test_a_line_goes_on_past_an_event_that_was_discarded(
    application: Application, operations: DeadLetterOperations, database: DatabaseProxy
) -> None:
    """Somebody has decided so, and said why."""
    await block(application, asked(1))
    await operations.discard((await only(operations)).id, "made by mistake")

    outcome = await application.services.processor.process(STRICT, [asked(1)], Deadline.after(20))

    assert outcome.parked == 0
    assert await blocking(operations) == []
    assert await derived(database) == [101]


async def test_many_letters_are_replayed_or_discarded_at_once(
    application: Application, operations: DeadLetterOperations, database: DatabaseProxy
) -> None:
    """By projection or all; what fails again is named."""
    await park(application, database, asked(1), asked(2), {"id": "x", "streamId": "s"})

    failed = await operations.replay_page(DeadLetterFilter(name="oracle.answers"))
    Oracle.broken = False
    replayed = await operations.replay_page(DeadLetterFilter(name="oracle.answers"))
    rest = await operations.replay_page(DeadLetterFilter())
    discarded = await operations.discard_page(DeadLetterFilter(), "no event at all")

    assert (failed.succeeded, len(failed.failed), failed.next) == (0, 2, None)
    assert (replayed.succeeded, replayed.failed) == (2, {})
    assert (rest.succeeded, len(rest.failed)) == (0, 1)
    assert next(iter(rest.failed.values())).startswith("The document is not an event")
    assert (discarded.succeeded, discarded.failed) == (1, {})
    assert await dead_letters_of(operations) == []
    assert await derived(database) == [1, 2, 101, 102]


@pytest.mark.parametrize(
    ("query", "body", "status"),
    [
        ({}, b"", 400),
        ({"projection": ""}, b"", 400),
        ({"projection": "*"}, b"", 200),
        ({"projection": "oracle.answers"}, b"", 200),
    ],
)
async def test_it_must_be_said_which_letters_are_meant(
    application: Application,
    database: DatabaseProxy,
    query: dict[str, str],
    body: bytes,
    status: int,
) -> None:
    """All of them only where that is said."""
    await park(application, database, asked(1))
    request = func.HttpRequest("POST", "/api/deadletters/replay", params=query, body=body)

    answer = await function(application, "replayall")(request)

    assert answer.status_code == status
    if status == 400:
        assert json.loads(answer.get_body())["errors"][0]["field"] == "projection"


@projection(name="ordered.answers", on_failure="park_stream")
def ordered(event: Asked) -> Iterator[Told]:
    if Oracle.broken and event.number == 1:
        raise ValueError("a bug")
    yield Told(number=event.number)


ORDERED = ProjectionModule(name="ordered", projections=(ordered,))


async def test_a_sequence_is_parked_and_replayed_in_its_order(
    opened: Callable[..., Application], database: DatabaseProxy
) -> None:
    """Over several batches; what is behind cannot go first, and afterwards all goes on."""
    application, Oracle.broken = opened(ORDERED), True
    operations = application.dead_letters
    events = [at(number) for number in range(5)]
    for event in events:
        await database.get_container_client("events").create_item(event)

    await application.project("ordered", events[:3])
    await application.project("ordered", events[3:4])
    letters = await dead_letters_of(operations)
    behind = await operations.replay(letters[1].id)
    Oracle.broken = False
    replayed = [(await operations.replay(letter.id)).reason for letter in letters]
    await application.project("ordered", events[4:])

    assert [letter.event_id for letter in letters] == ["q1", "q2", "q3"]
    assert behind.reason == f"Dead letter {letters[0].id} must be replayed first."
    assert replayed == [None, None, None]
    assert await derived(database) == [0, 1, 2, 3, 4]


@projection(name="ordered.echo")
def loose(event: Asked) -> Iterator[Told]:
    if Oracle.broken and event.number == 0:
        raise ValueError("a bug of a projection that keeps no order")
    yield Told(number=event.number + 100)


async def test_an_unreadable_event_keeps_its_place_in_the_sequence(
    opened: Callable[..., Application], database: DatabaseProxy
) -> None:
    """Mended, it is not replayed before what was parked before it; letters keep their order."""
    module = ProjectionModule(name="ordered", projections=(ordered, loose))
    application, Oracle.broken = opened(module), True
    operations, events = application.dead_letters, database.get_container_client("events")
    batch = [at(0), at(1), at(2, data={}), at(3)]
    await application.project("ordered", batch)
    for number in range(4):
        await events.create_item(at(number))

    letters = {
        (dead_letter.event_id, dead_letter.projection): dead_letter
        for dead_letter in await dead_letters_of(operations)
    }
    too_early = await operations.replay(letters["q2", None].id)
    await operations.replay(letters["q1", "ordered.answers"].id)
    order = [
        dead_letter.stream_order
        for dead_letter in await dead_letters_of(operations, "ordered.answers")
    ]
    Oracle.broken = False
    swept = await operations.replay_page(DeadLetterFilter())

    assert set(letters) == {
        *(("q0", "ordered.echo"), ("q1", "ordered.answers")),
        *(("q2", None), ("q3", "ordered.answers")),
    }
    assert (
        too_early.reason
        == f"Dead letter {letters['q1', 'ordered.answers'].id} must be replayed first."
    )
    assert order == sorted(order)
    assert (swept.succeeded, swept.failed) == (4, {})
    assert await derived(database) == [0, 1, 2, 3, 100, 101, 102, 103]


async def test_letters_are_listed_by_projection(
    application: Application, operations: DeadLetterOperations, database: DatabaseProxy
) -> None:
    """Or by module, the oldest first."""
    await park(application, database, asked(1), asked(2), asked(3, data={}))

    async def fetch_all(name: str | None) -> list[str]:
        return [dead_letter.event_id for dead_letter in await dead_letters_of(operations, name)]

    assert await fetch_all("oracle.answers") == ["q1", "q2"]
    assert await fetch_all("oracle") == await fetch_all(None) == ["q1", "q2", "q3"]
    assert await fetch_all("nothing") == []


def admin(cosmos: EmbeddedCosmos, *arguments: str) -> subprocess.CompletedProcess[str]:
    connection = cosmos.connection_string
    return run_in(EXAMPLE, "admin", "deadletters", *arguments, CosmosConnection=connection)


async def test_the_person_on_call_has_commands_for_all_of_it(
    cosmos: EmbeddedCosmos, database: DatabaseProxy, environ: dict[str, str]
) -> None:
    """List, show, replay and discard one, a module's or all; with exit codes and JSON."""
    application = Application.discover(follows, environ)
    events = database.get_container_client("events")
    bad = [followed(1, number, data={"user_id": "no"}) for number in (2, 3)]
    for event in bad:
        await events.create_item(event)
    await application.project("followship", bad)
    await application.close()

    async def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return await asyncio.to_thread(admin, cosmos, *arguments)

    listed = json.loads((await run("list", "--json")).stdout)
    first, second = (dead_letter["id"] for dead_letter in listed["deadLetters"])
    other = json.loads((await run("list", "--projection", "followship", "--json")).stdout)
    shown = await run("show", first)
    failed = await run("replay", "--module", "followship", "--json")
    await events.upsert_item(followed(1, 2))
    replayed = await run("replay", first)
    discarded = await run("discard", second, "--reason", "a test event")
    unknown = await run("replay", "no-such-id")
    unclear = await run("replay")
    table = await run("list", "--discarded")

    assert other["deadLetters"] == []  # an invalid event concerns no projection
    assert stream(1) in shown.stdout
    result = json.loads(failed.stdout)
    assert (failed.returncode, set(result["failed"])) == (1, {first, second})
    assert (result["succeeded"], result["next"]) == (0, None)
    assert (replayed.returncode, replayed.stdout) == (0, "1 replayed, 0 failed again\n")
    assert (discarded.returncode, discarded.stdout) == (0, "1 discarded\n")
    assert (unknown.returncode, "no dead letter" in unknown.stderr) == (1, True)
    assert unclear.returncode == 2
    assert "followship" in table.stdout
    assert json.loads((await run("list", "--json")).stdout)["deadLetters"] == []
