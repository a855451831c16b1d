"""What a version stores, kept for the tests of all later versions.

`python -m tests.stored` writes the documents of the version in pyproject.toml to
tests/fixtures/stored. Write them again as often as the format changes before the version is
released, and never after: what was released is in somebody's account.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from pathlib import Path
from typing import Any

from azure.cosmos.aio import DatabaseProxy

from core.application import Application
from core.cosmos.client import open_client
from core.cosmos.provisioning import provision
from local.cosmos import CosmosOptions, EmbeddedCosmos
from local.host.leases import PartitionKeyRange, lease_prefix, new_lease
from tests.apps import notices
from tests.observing import observer_of
from tests.support import Document, dead_letters_of, until

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "tests" / "fixtures" / "stored"

MODULE, READERS = "board", 30_000
SYSTEM = ("_rid", "_self", "_etag", "_attachments", "_ts", "_lsn")
WHOLE = PartitionKeyRange(id="0", minimum="", maximum="FF")
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

OPTIONS: dict[str, Any] = {"partitions": 1, "throughput": 20_000}
"""Of an embedded Cosmos DB that is slow enough for a fan-out to be cut off."""

Stored = dict[str, list[Document]]
"""Documents by container."""


def version() -> str:
    """Return the version that is being developed."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    match = re.search(r'^version = "([\d.]+)"$', text, re.MULTILINE)
    assert match is not None
    return match[1]


async def documents(database: DatabaseProxy, container: str) -> list[Document]:
    """Return the documents of a container in a stable order, without what the service adds."""
    items = database.get_container_client(container).query_items("SELECT * FROM c")
    stored = [
        {name: value for name, value in item.items() if name not in SYSTEM} async for item in items
    ]
    return sorted(stored, key=lambda document: (str(document.get("streamId")), document["id"]))


async def store(application: Application, database: DatabaseProxy) -> Stored:
    """Let an application store a document of each kind, and return them.

    The boards: `a` has two readers; `b` and `c` have none, so that their notices cannot be
    delivered, and that of `c` is discarded; the fan-out of `d` is cut off.
    """
    events = {}
    for board, readers in (("a", 2), ("b", 0), ("c", 0), ("d", READERS)):
        await _post(application, board, readers)
        (events[board],) = await _of(database, f"board-{board}")
    await application.project(MODULE, [events[board] for board in "abc"])
    await _discard(application, events["c"]["id"], "board-c")
    await _begin(application, database, await _delivered(database, "board-d"))
    rid = (await database.get_container_client("events").read())["_rid"]
    lease = new_lease(lease_prefix(f"{MODULE}-", "http://127.0.0.1", rid), WHOLE, '"3"')
    await database.get_container_client("leases").create_item({**lease, "Owner": "host-1"})
    kept = [event for event in await documents(database, "events") if _is_kept(event)]
    return {
        "events": kept,
        "deadletters": await documents(database, "deadletters"),
        "leases": await documents(database, "leases"),
    }


def _is_kept(event: Document) -> bool:
    """Return whether it is one of the few whose copies are enough."""
    return bool(event["type"] != "Delivered" or event["data"]["board"] == "a")


async def _post(application: Application, board: str, readers: int) -> None:
    body = json.dumps({"board": board, "readers": readers}).encode()
    await application.execute("post", body, idempotency_key=board, headers={"traceparent": TRACE})


async def _of(database: DatabaseProxy, stream: str) -> list[Document]:
    return [
        event
        for event in await documents(database, "events")
        if event["streamId"] == stream and event["type"] != "$key"
    ]


async def _delivered(database: DatabaseProxy, stream: str) -> Document:
    """Return the event of a stream as the change feed delivers it."""
    feed = database.get_container_client("events").query_items_change_feed(start_time="Beginning")
    (event,) = [
        event async for event in feed if event["streamId"] == stream and event["type"] != "$key"
    ]
    return dict(event)


async def _discard(application: Application, event_id: str, stream: str) -> None:
    (letter,) = (
        dead_letter
        for dead_letter in await dead_letters_of(application.dead_letters)
        if (dead_letter.event_id, dead_letter.stream_id) == (event_id, stream)
    )
    await application.dead_letters.discard(letter.id, "nobody misses it")


async def _begin(application: Application, database: DatabaseProxy, event: Document) -> None:
    """Project a large fan-out until its progress is stored."""
    attempt = asyncio.create_task(application.project(MODULE, [event]))

    async def is_begun() -> bool:
        assert not attempt.done()
        stored = await documents(database, "leases")
        return any(document["id"].startswith("fanout.") for document in stored)

    await until(is_begun, seconds=60)
    attempt.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await attempt


def load(path: Path) -> Stored:
    """Return the documents of a version."""
    stored: Stored = json.loads(path.read_text(encoding="utf-8"))
    return stored


async def _main() -> None:
    async with (
        EmbeddedCosmos(CosmosOptions(port=0, **OPTIONS)) as cosmos,
        observer_of(cosmos) as client,
    ):
        application = Application.discover(notices, {"CosmosConnection": cosmos.connection_string})
        settings = application.settings
        async with open_client(settings.require_connection()) as opened:
            await provision(opened, settings)
        stored = await store(application, client.get_database_client(settings.database))
        await application.close()
    text = json.dumps(stored, indent=2, ensure_ascii=False).replace(f"{ROOT}/", "")
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / f"{version()}.json").write_text(f"{text}\n", encoding="utf-8")


if __name__ == "__main__":
    asyncio.run(_main())
