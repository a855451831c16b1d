"""Items whose time to live is over: as if they had never been, for whatever is asked."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
import pytest

from local.cosmos import EmbeddedCosmos
from tests.integration.cosmos.raw import BATCH, BULK, FEED, ITEMS, QUERY, A, Raw, Reply

ONE = {"id": "1", "pk": "a"}
UPSERT = {**A, "x-ms-documentdb-is-upsert": "True"}
SET = [{"op": "set", "path": "/n", "value": 1}]


@pytest.fixture
def default_ttl() -> int | None:
    """The container's: items live for ever, unless they ask for something else."""
    return -1


@pytest.fixture
def cosmos_options() -> dict[str, Any]:
    return {"partitions": 1}


@pytest.fixture
async def raw(cosmos: EmbeddedCosmos, default_ttl: int | None) -> AsyncIterator[Raw]:
    """An account with an empty container."""
    async with aiohttp.ClientSession() as session:
        prepared = Raw(cosmos.endpoint, session)
        await prepared.prepare(**({} if default_ttl is None else {"defaultTtl": default_ttl}))
        yield prepared


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Let seconds pass."""
    now = time.time

    def forward(seconds: int) -> None:
        monkeypatch.setattr(time, "time", lambda: now() + seconds)

    return forward


async def create(raw: Raw, item_id: str = "1", **properties: Any) -> Reply:
    reply = await raw.send("POST", ITEMS, {"id": item_id, "pk": "a", **properties}, A)
    assert reply.status == 201
    return reply


async def visible_ids(raw: Raw) -> list[list[str]]:
    """The ids that a query, a listing, the feed and a count have; the reads are to agree."""
    query = {"query": "SELECT * FROM c"}
    count = {"query": "SELECT VALUE COUNT(1) FROM c"}
    replies = [
        await raw.send("POST", ITEMS, query, {**QUERY, **A}),
        await raw.send("GET", ITEMS, headers=A),
        await raw.send("GET", ITEMS, headers=FEED),
    ]
    pages = [(reply.body or {"Documents": []})["Documents"] for reply in replies]
    ids = [[item["id"] for item in page] for page in pages]
    counted = (await raw.send("POST", ITEMS, count, {**QUERY, **A})).body["Documents"]
    assert counted == [len(ids[0])]
    return ids


def operation(kind: str, **members: Any) -> dict[str, Any]:
    return {"operationType": kind, "id": "1", "partitionKey": '["a"]', **members}


@pytest.mark.parametrize(
    ("default_ttl", "ttl", "expires"),
    [
        pytest.param(None, 10, False, id="switched off"),
        pytest.param(-1, 10, True, id="of the item"),
        pytest.param(-1, -1, False, id="item for ever"),
        pytest.param(-1, None, False, id="container for ever"),
        pytest.param(10, None, True, id="of the container"),
        pytest.param(10, -1, False, id="item outlives the container's"),
        pytest.param(10, 1000, False, id="item longer"),
        pytest.param(1000, 10, True, id="item shorter"),
    ],
)
async def test_who_expires(
    raw: Raw, later: Callable[[int], None], ttl: int | None, *, expires: bool
) -> None:
    """The item's own time to live goes before the container's, which switches it on."""
    item = ONE if ttl is None else {**ONE, "ttl": ttl}
    assert (await raw.send("POST", ITEMS, item, A)).status == 201

    later(5)
    assert await visible_ids(raw) == [["1"]] * 3
    later(12)

    assert await visible_ids(raw) == [[] if expires else ["1"]] * 3
    read = await raw.send("GET", f"{ITEMS}/1", headers=A)
    assert read.status == (404 if expires else 200)


async def test_each_write_starts_the_time_anew(raw: Raw, later: Callable[[int], None]) -> None:
    """It is counted from the last change."""
    await create(raw, ttl=10)
    later(8)
    await raw.send("PATCH", f"{ITEMS}/1", SET, A)
    later(16)
    assert await visible_ids(raw) == [["1"]] * 3
    later(19)
    assert await visible_ids(raw) == [[]] * 3


@pytest.mark.parametrize(
    ("method", "path", "body", "headers", "status"),
    [
        pytest.param("GET", f"{ITEMS}/1", None, A, 404, id="read"),
        pytest.param("POST", ITEMS, ONE, A, 201, id="create"),
        pytest.param("POST", ITEMS, ONE, UPSERT, 201, id="upsert"),
        pytest.param("POST", ITEMS, ONE, {**UPSERT, "If-Match": '"x"'}, 201, id="stale upsert"),
        pytest.param("PUT", f"{ITEMS}/1", ONE, A, 404, id="replace"),
        pytest.param("PUT", f"{ITEMS}/1", ONE, {**A, "If-Match": '"x"'}, 404, id="stale replace"),
        pytest.param("PUT", f"{ITEMS}/other", ONE, A, 200, id="replace by its id"),
        pytest.param("PATCH", f"{ITEMS}/1", SET, A, 404, id="patch"),
        pytest.param("DELETE", f"{ITEMS}/1", None, A, 404, id="delete"),
        pytest.param("POST", ITEMS, [operation("Read")], BATCH, 404, id="read in a batch"),
        pytest.param(
            "POST", ITEMS, [operation("Create", resourceBody=ONE)], BATCH, 201, id="batch"
        ),
        pytest.param(
            "POST", ITEMS, [operation("Upsert", resourceBody=ONE)], BULK, 201, id="bulk upsert"
        ),
        pytest.param(
            "POST", ITEMS, [operation("Replace", resourceBody=ONE)], BULK, 404, id="bulk replace"
        ),
        pytest.param("POST", ITEMS, [operation("Delete")], BULK, 404, id="bulk delete"),
    ],
)
async def test_an_expired_item_is_as_one_that_never_was(
    raw: Raw,
    later: Callable[[int], None],
    method: str,
    path: str,
    body: object,
    headers: dict[str, str],
    status: int,
) -> None:
    """Each operation answers, costs and leaves what it does on a container without the item."""
    await create(raw, "other")
    without = await raw.send(method, path, body, headers)
    await raw.send("POST", f"{ITEMS[: -len('/docs')]}/operations/partitionkeydelete", None, A)
    await create(raw, "other")
    await create(raw, ttl=10, more="x" * 3000)
    later(11)

    reply = await raw.send(method, path, body, headers)

    seen = reply.body[0]["statusCode"] if isinstance(reply.body, list) else reply.status
    assert seen == status
    assert reply.headers["x-ms-request-charge"] == without.headers["x-ms-request-charge"]
    assert (await visible_ids(raw))[0] == {404: ["other"], 201: ["other", "1"], 200: ["1"]}[status]


async def test_a_failed_batch_leaves_what_has_expired(
    raw: Raw, later: Callable[[int], None]
) -> None:
    """What it would have written in its place is taken back, and a second attempt succeeds."""
    await create(raw, ttl=10)
    later(11)
    creating = operation("Create", resourceBody=ONE)

    failed = await raw.send("POST", ITEMS, [creating, operation("Read", id="none")], BATCH)
    again = await raw.send("POST", ITEMS, [creating], BATCH)

    assert [result["statusCode"] for result in failed.body] == [424, 404]
    assert [result["statusCode"] for result in again.body] == [201]


async def test_what_expires_costs_nothing(raw: Raw, later: Callable[[int], None]) -> None:
    """Queries and pages of the feed cost what they cost where nothing is."""
    empty = [
        (await raw.send("POST", ITEMS, {"query": "SELECT * FROM c"}, {**QUERY, **A})).headers,
        (await raw.send("GET", ITEMS, headers=FEED)).headers,
    ]
    for number in range(20):
        await create(raw, str(number), ttl=10, text="x" * 2000)
    later(11)

    after = [
        (await raw.send("POST", ITEMS, {"query": "SELECT * FROM c"}, {**QUERY, **A})).headers,
        (await raw.send("GET", ITEMS, headers=FEED)).headers,
    ]

    charge = "x-ms-request-charge"
    assert [reply[charge] for reply in after] == [reply[charge] for reply in empty]


async def test_a_container_may_get_a_time_to_live_later(
    raw: Raw, later: Callable[[int], None]
) -> None:
    """It holds for the items that are there, from their last change on."""
    await create(raw)
    container = ITEMS[: -len("/docs")]
    definition = (await raw.send("GET", container)).body
    later(11)

    changed = await raw.send("PUT", container, {**definition, "defaultTtl": 10})

    assert (changed.status, changed.body["defaultTtl"]) == (200, 10)
    assert await visible_ids(raw) == [[]] * 3
