"""The progress of large fan-outs, in the embedded Cosmos DB."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
from azure.cosmos.aio import ContainerProxy, DatabaseProxy

from core.application import Application
from core.cosmos.client import open_client
from core.cosmos.provisioning import provision
from core.settings import Settings
from core.tracking.fan_out_progress import FanOutProgress, container_rid
from local.host.leases import PartitionKeyRange, lease_prefix, new_lease
from tests.apps import numbers
from tests.support import TIME, Document, until

COUNT, CHUNK_SIZE = 6_000, 1_000
WHOLE = PartitionKeyRange(id="0", minimum="", maximum="FF")
SOURCE = {
    "id": "a",
    "streamId": f"count-{COUNT}",
    "type": "Counted",
    "version": 1,
    "time": TIME,
    "data": {"numbers": COUNT},
}


@pytest.fixture
def cosmos_options() -> dict[str, Any]:
    """One physical partition, so that LSNs are foreseeable."""
    return {"partitions": 1, "throughput": 40_000}


@pytest.fixture
def replica_lag() -> float:
    """The test reads what the application has written."""
    return 0.0


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("fan_out", "batch_run"):
        monkeypatch.setattr(f"core.projecting.{module}.CHUNK_SIZE", CHUNK_SIZE)


@pytest.fixture
def dates_rewritten() -> bool:
    """Whether the host rewrites dates, so that the application reads what it is handed over."""
    return False


@pytest.fixture
async def application(
    environ: dict[str, str], database: DatabaseProxy, *, dates_rewritten: bool
) -> AsyncIterator[Application]:
    """A process that has begun the fan-out of an event, and ends before it completes it."""
    application = Application.discover(numbers, environ)
    application.services.stored_documents.dates_rewritten = dates_rewritten
    await database.get_container_client("events").create_item(SOURCE)
    batch = await delivered(database)
    attempt = asyncio.create_task(application.project("counting", batch))
    await until(lambda: has_progress(database, attempt))
    attempt.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await attempt
    yield application
    await application.close()


async def has_progress(database: DatabaseProxy, attempt: asyncio.Task[Any]) -> bool:
    assert not attempt.done()
    return bool(await progress_documents(database))


async def progress_documents(database: DatabaseProxy) -> list[Document]:
    leases = database.get_container_client("leases")
    items = leases.query_items("SELECT * FROM c WHERE STARTSWITH(c.id, 'fanout.')")
    return [item async for item in items]


async def delivered(database: DatabaseProxy) -> list[Document]:
    """The source event as the change feed delivers it."""
    events = database.get_container_client("events")
    items = events.query_items_change_feed(start_time="Beginning")
    return [item async for item in items if item["type"] == "Counted"]


async def stored_numbers(database: DatabaseProxy) -> list[int]:
    events = database.get_container_client("events")
    items = events.query_items("SELECT c.data FROM c WHERE c.type = 'Number'")
    return sorted([item["data"]["value"] async for item in items])


async def put_lease(database: DatabaseProxy, checkpoint: str | None) -> None:
    rid = (await database.get_container_client("events").read())["_rid"]
    lease = new_lease(lease_prefix("counting-", "http://127.0.0.1", rid), WHOLE, checkpoint)
    await database.get_container_client("leases").upsert_item(lease)


async def shown_progress(application: Application) -> list[int]:
    (status,) = (await application.status.report()).projections
    return [progress.written for progress in status.fan_outs]


async def recreate_events(environ: dict[str, str], database: DatabaseProxy) -> None:
    """Delete the container and create it again, as after a restore, with its source event."""
    await database.delete_container("events")
    settings = Settings.from_environ(environ)
    async with open_client(settings.require_connection()) as client:
        await provision(client, settings)
    await database.get_container_client("events").create_item(SOURCE)


async def test_another_process_continues_a_fan_out(
    application: Application, environ: dict[str, str], database: DatabaseProxy
) -> None:
    """The status shows its progress until the other process has completed it."""
    (document,) = await progress_documents(database)
    await put_lease(database, None)
    assert await shown_progress(application) == [document["written"]]
    other = Application.discover(numbers, environ)

    result = await other.project("counting", await delivered(database))

    await other.close()
    assert await stored_numbers(database) == list(range(COUNT))
    assert result.already_written >= document["written"] >= CHUNK_SIZE
    assert await progress_documents(database) == []


@pytest.mark.parametrize("is_new_process", [True, False], ids=["new process", "same process"])
async def test_in_a_container_that_was_created_again_a_fan_out_starts_again(
    application: Application,
    environ: dict[str, str],
    database: DatabaseProxy,
    *,
    is_new_process: bool,
) -> None:
    """Nothing of what the other container held is there, nor shown as progress."""
    await recreate_events(environ, database)
    await put_lease(database, None)
    assert await shown_progress(application) == []
    process = Application.discover(numbers, environ) if is_new_process else application

    result = await process.project("counting", await delivered(database))

    await process.close()
    assert (result.derived, result.already_written) == (COUNT, 0)
    assert await stored_numbers(database) == list(range(COUNT))


async def test_progress_that_is_stored_late_is_not_shown(
    application: Application, database: DatabaseProxy
) -> None:
    """A process that lost its lease may store it when the event is processed."""
    (document,) = await progress_documents(database)
    await application.project("counting", await delivered(database))
    await database.get_container_client("leases").create_item(document)

    await put_lease(database, f'"{document["lsn"]}"')
    behind = await shown_progress(application)
    await put_lease(database, f'"{document["lsn"] - 1}"')

    assert (behind, await shown_progress(application)) == ([], [document["written"]])


@pytest.mark.parametrize("dates_rewritten", [False, True], ids=["stored", "rewritten"])
async def test_progress_is_shown_until_its_event_is_processed(
    application: Application, database: DatabaseProxy
) -> None:
    """Also where the event is read, as the host rewrites dates."""
    (event,) = await delivered(database)
    (document,) = await progress_documents(database)

    await put_lease(database, f'"{event["_lsn"] - 1}"')

    assert await shown_progress(application) == [document["written"]]


async def test_progress_names_its_container(
    application: Application, database: DatabaseProxy
) -> None:
    """By the resource id, which the ids of documents start with."""
    events: ContainerProxy = database.get_container_client("events")
    (document,) = await progress_documents(database)

    assert document["id"].startswith("fanout.")
    assert document["container"] == (await events.read())["_rid"]
    assert FanOutProgress.model_validate(document).to_dict().keys() == {
        *("projection", "streamId", "eventId", "written")
    }


@pytest.mark.parametrize("rid", ["", "?", "\u00e9", "3FIlAO"])
def test_without_a_resource_id_the_container_is_not_known(rid: str) -> None:
    """So no progress is used."""
    assert container_rid(rid) == ""
