"""Reads from a replica that lags: what they see with and without a session token."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from local.cosmos import CosmosOptions, EmbeddedCosmos
from tests.integration.cosmos.raw import BATCH, FEED, ITEMS, QUERY, A, Raw, Reply

HOUR = 3600.0
UPSERT = {**A, "x-ms-documentdb-is-upsert": "true"}


@pytest.fixture
async def raw() -> AsyncIterator[Raw]:
    """An account whose replica never catches up while a test runs."""
    async with (
        EmbeddedCosmos(CosmosOptions(port=0, replica_lag=HOUR)) as cosmos,
        aiohttp.ClientSession() as session,
    ):
        raw = Raw(cosmos.endpoint, session)
        await raw.prepare()
        yield raw


async def plan(raw: Raw, **fields: Any) -> int:
    body = json.dumps(fields)
    async with raw.session.post(f"{raw.endpoint}_local/faults", data=body) as answer:
        return answer.status


async def write(raw: Raw, item_id: str, value: int) -> Reply:
    return await raw.send("POST", ITEMS, {"id": item_id, "pk": "a", "n": value}, UPSERT)


async def read(raw: Raw, item_id: str, **headers: str) -> Reply:
    return await raw.send("GET", f"{ITEMS}/{item_id}", headers={**A, **headers})


async def query(raw: Raw, token: str = "") -> list[Any]:
    headers = {**QUERY, **A, "x-ms-session-token": token}
    reply = await raw.send("POST", ITEMS, {"query": "SELECT c.id, c.n FROM c"}, headers)
    return [(item["id"], item["n"]) for item in reply.body["Documents"]]


async def feed(raw: Raw, token: str = "", **headers: str) -> Reply:
    return await raw.send("GET", ITEMS, headers={**FEED, "x-ms-session-token": token, **headers})


async def settled(raw: Raw) -> None:
    """Two items that every replica has, and later writes that none has but the primary."""
    assert await plan(raw, replicaLagMs=0) == 200
    await write(raw, "kept", 1)
    await write(raw, "deleted", 1)
    assert await plan(raw) == 200
    await write(raw, "kept", 2)
    await raw.send("DELETE", f"{ITEMS}/deleted", headers=A)
    await write(raw, "deleted", 3)
    await write(raw, "new", 1)


async def test_without_a_token_reads_are_old(raw: Raw) -> None:
    """Point reads, queries and the feed agree on the state of so long ago."""
    await settled(raw)

    assert (await read(raw, "new")).status == 404
    assert (await read(raw, "kept")).body["n"] == 1
    assert (await read(raw, "deleted")).body["n"] == 1
    assert await query(raw) == [("kept", 1), ("deleted", 1)]
    page = await feed(raw)
    assert [(item["id"], item["n"], item["_lsn"]) for item in page.body["Documents"]] == [
        ("kept", 1, 1),
        ("deleted", 1, 2),
    ]
    assert page.headers["x-ms-session-token"] == "0:-1#2"
    assert (await feed(raw, **{"if-none-match": page.headers["etag"]})).status == 304


async def test_a_token_is_honoured(raw: Raw) -> None:
    """A read sees at least what its token says, up to the transaction."""
    await settled(raw)

    assert (await read(raw, "kept", **{"x-ms-session-token": "0:-1#3"})).body["n"] == 2
    assert (await read(raw, "deleted", **{"x-ms-session-token": "0:-1#4"})).status == 404
    assert await query(raw, "0:-1#3") == [("kept", 2), ("deleted", 1)]
    assert await query(raw, "0:-1#6") == [("kept", 2), ("deleted", 3), ("new", 1)]
    assert [item["id"] for item in (await feed(raw, "0:-1#5")).body["Documents"]] == [
        "kept",
        "deleted",
    ]


@pytest.mark.parametrize(
    ("clauses", "old", "latest"),
    [
        ("ORDER BY c.id DESC", ["kept", "deleted"], ["new", "kept", "deleted"]),
        ("WHERE c.id > 'k' ORDER BY c.id", ["kept"], ["kept", "new"]),
        ("WHERE STARTSWITH(c.id, 'd')", ["deleted"], ["deleted"]),
        ("ORDER BY c._ts DESC", ["deleted", "kept"], ["new", "deleted", "kept"]),
        ("ORDER BY c.n DESC", ["deleted", "kept"], ["deleted", "kept", "new"]),
    ],
)
async def test_a_replica_has_its_ranges_and_orders(
    raw: Raw, clauses: str, old: list[str], latest: list[str]
) -> None:
    """Also page by page."""
    await settled(raw)

    async def pages(token: str) -> list[Any]:
        text = f"SELECT VALUE c.id FROM c {clauses}"  # noqa: S608 - of constants
        headers = {**QUERY, **A, "x-ms-session-token": token, "x-ms-max-item-count": "1"}
        items: list[Any] = []
        while True:
            reply = await raw.send("POST", ITEMS, {"query": text}, headers)
            items += reply.body["Documents"]
            if "x-ms-continuation" not in reply.headers:
                return items
            headers["x-ms-continuation"] = reply.headers["x-ms-continuation"]

    assert await pages("") == old
    assert await pages("0:-1#6") == latest


async def test_writes_tell_the_token_that_shows_them(raw: Raw) -> None:
    """Those that fail name the state that they failed on."""
    created = await write(raw, "new", 1)
    conflict = await raw.send("POST", ITEMS, {"id": "new", "pk": "a"}, A)
    batch = [{"operationType": "Create", "resourceBody": {"id": "new", "pk": "a"}}]
    refused = await raw.send("POST", ITEMS, batch, BATCH)

    tokens = [reply.headers["x-ms-session-token"] for reply in (created, conflict, refused)]
    assert (conflict.status, refused.status) == (409, 207)
    assert set(tokens) == {"0:-1#1"}
    assert (await read(raw, "new", **{"x-ms-session-token": tokens[1]})).status == 200


async def test_a_batch_reads_where_it_would_write(raw: Raw) -> None:
    """Batches are never old, whatever they read."""
    await write(raw, "new", 1)

    reply = await raw.send("POST", ITEMS, [{"operationType": "Read", "id": "new"}], BATCH)

    assert reply.body[0]["statusCode"] == 200


async def test_a_token_of_the_future_is_not_available(raw: Raw) -> None:
    """404/1002, not a state that the token does not allow."""
    reply = await read(raw, "new", **{"x-ms-session-token": "0:-1#7"})

    assert (reply.status, reply.sub_status) == (404, 1002)


async def test_children_of_a_split_lag_like_their_parent(raw: Raw) -> None:
    """Tokens of the parent are honoured, and what is not replicated stays unseen."""
    await settled(raw)
    async with raw.session.post(f"{raw.endpoint}_local/split?container=db/items"):
        pass

    assert await query(raw) == [("kept", 1), ("deleted", 1)]
    assert await query(raw, "0:-1#6") == [("kept", 2), ("deleted", 3), ("new", 1)]
    assert (await read(raw, "new")).status == 404


async def test_the_replica_catches_up(raw: Raw) -> None:
    """When the lag is over; a plan may change it."""
    await settled(raw)
    assert await plan(raw, replicaLagMs=0) == 200

    assert await query(raw) == [("kept", 2), ("deleted", 3), ("new", 1)]
    assert (await plan(raw, replicaLagMs=-1)) == 400
