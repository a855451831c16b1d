"""This version reads what earlier ones stored, and what it stores is recorded for later ones."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from azure.cosmos.aio import DatabaseProxy

from core.application import Application
from tests.apps import notices
from tests.apps.notices.board import Board, Reader
from tests.stored import FOLDER, MODULE, OPTIONS, READERS, Stored, documents, load, store, version
from tests.support import dead_letters_of

VERSIONS = sorted(FOLDER.glob("*.json"))


@pytest.fixture
def replica_lag() -> float:
    """Reads see every write, for what is stored is the subject."""
    return 0.0


@pytest.fixture
def cosmos_options() -> dict[str, Any]:
    return {"partitions": 1}


@pytest.fixture
async def application(
    environ: dict[str, str], database: DatabaseProxy
) -> AsyncIterator[Application]:
    opened = Application.discover(notices, environ)
    yield opened
    await opened.close()


@pytest.fixture(params=VERSIONS, ids=lambda path: path.stem)
async def stored(request: pytest.FixtureRequest, database: DatabaseProxy) -> Stored:
    """The documents of an earlier version, put into containers of this one."""
    path: Path = request.param
    stored = load(path)
    events = database.get_container_client("events")
    (lease,) = (document for document in stored["leases"] if "LeaseToken" in document)
    stem, dots, token = str(lease["id"]).rpartition("..")
    rid = (await events.read())["_rid"]
    lease["id"] = f"{stem.rpartition('_')[0]}_{rid}{dots}{token}"
    (progress,) = (document for document in stored["leases"] if "written" in document)
    progress["container"] = rid
    for container, items in stored.items():
        for item in items:
            await database.get_container_client(container).create_item(item)
    return stored


async def test_events_are_folded_and_projected_to_what_is_there(
    stored: Stored, application: Application, database: DatabaseProxy
) -> None:
    """Own events and derived ones; their ids are the same for ever."""
    (posted,) = (
        event
        for event in stored["events"]
        if event["streamId"] == "board-a" and event["type"] == "Posted"
    )

    board = (await application.load_entity("board", "a")).entity
    reader = (await application.load_entity("reader", "1")).entity
    await application.project(MODULE, [posted])

    assert board == Board(readers=2)
    assert reader == Reader(boards=("a",))
    assert await documents(database, "events") == stored["events"]


async def test_dead_letters_are_listed_and_replayed(
    stored: Stored, application: Application
) -> None:
    """One that waits, and one that was discarded."""
    (waiting,) = await dead_letters_of(application.dead_letters, MODULE)
    (discarded,) = await dead_letters_of(application.dead_letters, MODULE, discarded=True)

    await application.dead_letters.replay(waiting.id)
    (again,) = await dead_letters_of(application.dead_letters, MODULE)

    assert {waiting.id, discarded.id} == {document["id"] for document in stored["deadletters"]}
    assert (waiting.stream_id, discarded.stream_id) == ("board-b", "board-c")
    assert (waiting.attempts, again.attempts) == (1, 2)
    assert again.reason == waiting.reason


async def test_a_large_fan_out_is_continued(
    stored: Stored, application: Application, database: DatabaseProxy
) -> None:
    """Not from its beginning: what is said to be written is not written again."""
    items = database.get_container_client("events").query_items(
        "SELECT * FROM c WHERE c.streamId = 'board-d' AND c.type = 'Posted'"
    )
    (posted,) = [event async for event in items]
    (status,) = (await application.status.report()).projections
    (progress,) = status.fan_outs

    await application.project(MODULE, [posted])

    delivered = [
        event for event in await documents(database, "events") if event["data"].get("board") == "d"
    ]
    assert progress.written >= 10_000
    assert len(delivered) - 1 == READERS - progress.written


async def test_leases_tell_the_progress(stored: Stored, application: Application) -> None:
    """Their owner and checkpoint, whoever wrote them."""
    (document,) = (lease for lease in stored["leases"] if "LeaseToken" in lease)

    (status,) = (await application.status.report()).projections

    (lease,) = status.leases
    assert (lease.owner, lease.checkpoint) == (document["Owner"], document["ContinuationToken"])
    assert status.partitions_without_lease == 0


@pytest.mark.parametrize("cosmos_options", [OPTIONS])
async def test_what_is_stored_is_recorded(
    application: Application, database: DatabaseProxy, cosmos_options: dict[str, Any]
) -> None:
    """Before its release `python -m tests.stored` records a version; later it may not change."""
    recorded = load(FOLDER / f"{version()}.json")

    now = await store(application, database)

    assert shape(now) == shape(recorded), "unless it is released: python -m tests.stored"
    for container in ("events", "deadletters"):
        assert [document["id"] for document in now[container]] == [
            document["id"] for document in recorded[container]
        ]


def shape(value: object) -> object:
    """The names and types of a value's parts."""
    if isinstance(value, dict):
        return {name: shape(part) for name, part in value.items()}
    if isinstance(value, list):
        return [shape(part) for part in value]
    return type(value).__name__
