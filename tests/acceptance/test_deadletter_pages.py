"""Dead letters in pages: over HTTP, in the application and in the command."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import azure.functions as func
import pytest
import typer
from azure.cosmos.aio import DatabaseProxy

from admin import deadletters
from core.application import Application
from core.dead_letters.dead_letter import DeadLetter
from core.dead_letters.queries import DeadLetterFilter
from core.errors import DeadlineExceededError, InvalidRequestError
from core.model.registry import ProjectionModule
from core.operations.dead_letters import DeadLetterActionResult, DeadLetterOperations
from core.operations.replay import Replayer, ReplayResult
from core.throttling.deadline import Deadline
from local.cosmos import EmbeddedCosmos
from tests.acceptance.test_deadletters import MODULE, Oracle, asked, function
from tests.commands import EXAMPLE, ROOT, environment
from tests.support import dead_letters_of, until
from tests.unit.core.dead_letters.poison_events import poison_event

COUNT = 9


ALL = DeadLetterFilter()


@pytest.fixture
async def application(
    opened: Callable[[ProjectionModule], Application], database: DatabaseProxy
) -> Application:
    """An application with nine dead letters."""
    Oracle.broken = True
    application, batch = opened(MODULE), [asked(number) for number in range(COUNT)]
    for event in batch:
        await database.get_container_client("events").create_item(event)
    await application.project("oracle", batch)
    return application


async def pages(read: Callable[[str | None], Any]) -> list[Any]:
    """All pages, of which each is asked for with what the one before told."""
    results = [await read(None)]
    while results[-1].next is not None:
        results.append(await read(results[-1].next))
    return results


async def test_a_list_is_read_page_by_page(application: Application) -> None:
    """Each letter once, without what only one letter shows; a page may be the last full one."""
    operations = application.dead_letters

    listed = await pages(lambda after: operations.page(ALL, after=after, limit=4))

    names = [letter.event_id for page in listed for letter in page.dead_letters]
    assert all(len(page.dead_letters) <= 4 for page in listed)
    assert sorted(names) == [f"q{number}" for number in range(COUNT)]
    assert "traceback" not in listed[0].to_dict()["deadLetters"][0]


async def test_all_are_replayed_page_by_page(application: Application) -> None:
    """Those that fail again are named, and the pages go on behind them."""
    operations = application.dead_letters

    failed = await pages(lambda after: operations.replay_page(ALL, after=after, limit=4))
    Oracle.broken = False
    replayed = await pages(lambda after: operations.replay_page(ALL, after=after, limit=4))

    assert [result.succeeded for result in failed] == [0] * len(failed)
    assert sum(len(result.failed) for result in failed) == COUNT
    assert sum(result.succeeded for result in replayed) == COUNT
    assert await dead_letters_of(operations) == []


@pytest.fixture
def slow_events(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The ids of events whose replay takes longer than there is time."""
    slow, replay = set[str](), Replayer.replay

    async def replay_in_time(
        replayer: Replayer, dead_letter: DeadLetter, deadline: Deadline
    ) -> ReplayResult:
        if dead_letter.event_id in slow:
            raise DeadlineExceededError("Deadline exceeded while projecting.")
        return await replay(replayer, dead_letter, deadline)

    monkeypatch.setattr(Replayer, "replay", replay_in_time)
    return slow


async def test_no_letter_is_passed_over_without_a_word(
    application: Application, slow_events: set[str]
) -> None:
    """Those for which there is no time after a slow one have failed, unless they fail otherwise."""
    slow_events.update(f"q{number}" for number in range(COUNT))
    operations = application.dead_letters

    results = await pages(lambda after: operations.replay_page(ALL, after=after, limit=4))

    assert sum(len(result.failed) for result in results) == COUNT
    assert {reason for result in results for reason in result.failed.values()} == {
        "There was not enough time for it. Try again."
    }


async def test_after_a_success_a_page_is_repeated_for_those_that_are_left(
    application: Application, slow_events: set[str]
) -> None:
    """None of them has failed yet, and the slow one may be fast the next time."""
    operations = application.dead_letters
    listed = (await operations.page(ALL)).dead_letters
    slow_events.add(str(listed[2].event_id))
    Oracle.broken = False

    first = await operations.replay_page(ALL)
    slow_events.clear()
    again = await pages(lambda after: operations.replay_page(ALL, after=after or first.next))

    assert (first.succeeded, first.failed) == (2, {})
    assert sum(result.succeeded for result in again) == COUNT - 2
    assert await dead_letters_of(operations) == []


def test_a_letter_that_fails_on_a_repeated_page_counts_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever reads the sum has so many letters to look at."""
    results = iter(
        [
            DeadLetterActionResult(succeeded=1, failed={"a": "a bug"}, next="1"),
            DeadLetterActionResult(succeeded=1, failed={"a": "a bug", "b": "a bug"}, next=None),
        ]
    )

    async def replay_page(*_: object, **__: object) -> DeadLetterActionResult:
        return next(results)

    @asynccontextmanager
    async def open_application(_: Path) -> AsyncIterator[SimpleNamespace]:
        yield SimpleNamespace(dead_letters=SimpleNamespace(replay_page=replay_page))

    monkeypatch.setattr(deadletters, "open_application", open_application)

    with pytest.raises(typer.Exit) as caught:
        deadletters.replay(everything=True)

    assert caught.value.exit_code == 1
    assert capsys.readouterr().out.endswith("\n2 replayed, 2 failed again\n")


async def test_an_action_can_be_ended_and_repeated(application: Application) -> None:
    """What was done is done, and the others are left."""
    operations = application.dead_letters

    first = await operations.discard_page(ALL, "no use", limit=4)
    again = await pages(lambda after: operations.discard_page(ALL, "no use", after=after))

    assert first.succeeded == 4
    assert sum(result.succeeded for result in again) == COUNT - 4
    assert len(await dead_letters_of(operations, discarded=True)) == COUNT


@pytest.mark.parametrize(
    "after", ["x", "%", "é", "MXg", "Mg", "MQ\x00", "MQo", "MQA", "MQ1h", "McOp", "MX8"]
)
async def test_a_continuation_must_be_one(application: Application, after: str) -> None:
    """The field is named."""
    with pytest.raises(InvalidRequestError) as caught:
        await application.dead_letters.page(ALL, after=after)

    assert caught.value.errors[0].field == "after"


@pytest.mark.parametrize("limit", ["", "0", "201", "-1", "many", "1e2", "9" * 5_000, "²"])
async def test_a_limit_must_be_one(application: Application, limit: str) -> None:
    """Over HTTP, for a list and for actions."""
    requests = {
        "deadletters": func.HttpRequest("GET", "/", params={"limit": limit}, body=b""),
        "replayall": func.HttpRequest(
            "POST", "/", params={"limit": limit, "projection": "*"}, body=b""
        ),
    }
    for name, request in requests.items():
        answer = await function(application, name)(request)

        assert answer.status_code == 400
        assert json.loads(answer.get_body())["errors"][0]["field"] == "limit"


async def test_pages_go_on_over_http(application: Application) -> None:
    """With what `next` told, until it is null."""
    parameters, names = {"limit": "4", "projection": "oracle"}, list[str]()
    while True:
        request = func.HttpRequest("GET", "/", params=dict(parameters), body=b"")
        page = json.loads((await function(application, "deadletters")(request)).get_body())
        names += [letter["eventId"] for letter in page["deadLetters"]]
        if page["next"] is None:
            break
        parameters["after"] = page["next"]

    assert sorted(names) == [f"q{number}" for number in range(COUNT)]


async def test_a_letter_of_another_version_is_listed(application: Application) -> None:
    """With what of it cannot be read; it can be discarded."""
    odd = {"id": "0" * 8 + "-0000-5000-8000-" + "0" * 12, "module": "oracle", "attempts": "none"}
    container = application.services.dead_letters.container
    await container.create("storing a dead letter", odd, Deadline.after(20))
    operations = application.dead_letters

    listed = {letter.id: letter for letter in (await operations.page(ALL)).dead_letters}
    discarded = await operations.discard(odd["id"], "odd")

    assert len(listed) == COUNT + 1
    assert str(listed[odd["id"]].unreadable).startswith("attempts: ")
    assert discarded.state == "discarded"


async def test_a_huge_event_is_parked_shown_and_discarded(
    opened: Callable[[ProjectionModule], Application], database: DatabaseProxy
) -> None:
    """Its dead letter is small."""
    huge = asked(1, time="x" * 900_000)
    await database.get_container_client("events").create_item(huge)
    application = opened(MODULE)
    operations: DeadLetterOperations = application.dead_letters

    result = await application.project("oracle", [huge])
    (letter,) = await dead_letters_of(operations)
    shown = json.dumps(letter.to_dict())
    await operations.discard(letter.id, "garbage")

    assert result.parked == 1
    assert len(shown) < 4_000
    assert letter.place == "time: value_error"
    assert await dead_letters_of(operations) == []


async def test_the_command_can_be_interrupted_and_repeated(
    cosmos: EmbeddedCosmos, application: Application, database: DatabaseProxy
) -> None:
    """What was discarded is done; the same command discards the others."""
    store, deadline = application.services.dead_letters, Deadline.after(60)
    await store.park([poison_event(event_id=number) for number in range(150)], deadline)
    command = ("-m", "admin", "deadletters", "discard", "--all", "--reason", "no use")
    settings = environment(PYTHONPATH=str(ROOT), CosmosConnection=cosmos.connection_string)

    async def start() -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            sys.executable, *command, cwd=EXAMPLE, env=settings, stdout=PIPE, stderr=PIPE
        )

    async def count() -> int:
        items = database.get_container_client("deadletters").query_items(
            "SELECT c.id FROM c WHERE c.state = 'discarded'"
        )
        return len([item async for item in items])

    async def has_started() -> bool:
        return await count() > 0

    process = await start()
    await until(has_started)
    process.send_signal(signal.SIGINT)
    _, errors = await process.communicate()
    done = await count()
    again = await start()
    output, _ = await again.communicate()

    assert (process.returncode, "The same command continues" in errors.decode()) == (130, True)
    assert 0 < done < 150 + COUNT
    assert again.returncode == 0
    assert output.decode().endswith(" discarded\n")
    assert await count() == 150 + COUNT
