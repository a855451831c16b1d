"""Writes of items, request by request: ids, preconditions, sizes, batches."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.cosmos.raw import BATCH, BULK, FEED, ITEMS, A, Raw

UPSERT = {**A, "x-ms-documentdb-is-upsert": "True"}
ONE = {"id": "1", "pk": "a"}
MEGABYTE = 1024 * 1024


@pytest.fixture
def cosmos_options() -> dict[str, Any]:
    return {"partitions": 1}


@pytest.fixture
def replica_lag() -> float:
    """Reads see every write, unless a test says otherwise."""
    return 0.0


async def put(raw: Raw, item_id: str, **properties: Any) -> Any:
    """Return the stored item."""
    reply = await raw.send("POST", ITEMS, {"id": item_id, "pk": "a", **properties}, UPSERT)
    assert reply.status in {200, 201}
    return reply.body


def operation(kind: str, item_id: str, **members: Any) -> dict[str, Any]:
    return {"operationType": kind, "id": item_id, "partitionKey": '["a"]', **members}


def creates(*ids: str) -> list[dict[str, Any]]:
    return [operation("Create", name, resourceBody={"id": name, "pk": "a"}) for name in ids]


async def test_a_replace_may_give_an_item_another_id(raw: Raw) -> None:
    """It stays the same resource, and its place in the feed moves on."""
    before = await put(raw, "1", n=1)

    reply = await raw.send("PUT", f"{ITEMS}/1", {"id": "2", "pk": "a", "n": 2}, A)

    assert (reply.status, reply.body["id"], reply.body["_rid"]) == (200, "2", before["_rid"])
    assert (await raw.send("GET", f"{ITEMS}/1", headers=A)).status == 404
    assert (await raw.send("GET", f"{ITEMS}/2", headers=A)).body == reply.body
    feed = (await raw.send("GET", ITEMS, headers=FEED)).body["Documents"]
    assert [(item["id"], item["_lsn"]) for item in feed] == [("2", 2)]


async def test_a_replace_does_not_take_an_id_that_is_there(raw: Raw) -> None:
    """409, and a stale ETag is told first."""
    await put(raw, "1")
    await put(raw, "2")

    taken = await raw.send("PUT", f"{ITEMS}/1", {"id": "2", "pk": "a"}, A)
    stale = await raw.send("PUT", f"{ITEMS}/1", {"id": "2", "pk": "a"}, {**A, "If-Match": '"x"'})

    assert (taken.status, stale.status) == (409, 412)
    assert (await raw.send("GET", f"{ITEMS}/1", headers=A)).status == 200


@pytest.mark.parametrize("replica_lag", [600.0])
async def test_a_lagging_replica_has_the_old_id(raw: Raw) -> None:
    """Until the new one is replicated."""
    created = await raw.send("POST", ITEMS, ONE, A)
    await raw.send("PUT", f"{ITEMS}/1", {"id": "2", "pk": "a"}, A)
    then = {**A, "x-ms-session-token": created.headers["x-ms-session-token"]}

    assert (await raw.send("GET", f"{ITEMS}/1", headers=then)).status == 200
    assert (await raw.send("GET", f"{ITEMS}/2", headers=then)).status == 404


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        pytest.param("POST", ITEMS, {"If-Match": '"x"'}, 409, id="create ignores If-Match"),
        pytest.param("POST", ITEMS, {"If-None-Match": "*"}, 409, id="create conflicts first"),
        pytest.param("PUT", f"{ITEMS}/1", {"If-None-Match": "*"}, 200, id="replace ignores it"),
        pytest.param("PUT", f"{ITEMS}/1", {"If-Match": "*"}, 200, id="any version"),
        pytest.param("PUT", f"{ITEMS}/1", {"If-Match": '"x"'}, 412, id="stale replace"),
        pytest.param("PUT", f"{ITEMS}/0", {"If-Match": '"x"'}, 404, id="nothing to replace"),
        pytest.param("DELETE", f"{ITEMS}/1", {"If-Match": '"x"'}, 412, id="stale delete"),
        pytest.param("DELETE", f"{ITEMS}/1", {"If-None-Match": "*"}, 204, id="delete ignores it"),
        pytest.param("GET", f"{ITEMS}/1", {"If-None-Match": "*"}, 304, id="known in any version"),
        pytest.param("GET", f"{ITEMS}/1", {"If-Match": '"x"'}, 200, id="read ignores If-Match"),
    ],
)
async def test_preconditions_count_where_the_service_has_them(
    raw: Raw, method: str, path: str, headers: dict[str, str], status: int
) -> None:
    """And are ignored elsewhere."""
    await put(raw, "1")
    body = None if method in {"GET", "DELETE"} else ONE

    assert (await raw.send(method, path, body, {**A, **headers})).status == status


async def test_an_upsert_heeds_preconditions_only_where_it_replaces(raw: Raw) -> None:
    """A new item is created whatever they say."""
    for headers in ({"If-Match": '"x"'}, {"If-None-Match": "*"}):
        await raw.send("DELETE", f"{ITEMS}/1", headers=A)
        assert (await raw.send("POST", ITEMS, ONE, {**UPSERT, **headers})).status == 201
        assert (await raw.send("POST", ITEMS, ONE, {**UPSERT, **headers})).status == 412

    etag = (await put(raw, "1"))["_etag"]
    known = await raw.send("POST", ITEMS, ONE, {**UPSERT, "If-None-Match": etag})
    matching = await raw.send("POST", ITEMS, ONE, {**UPSERT, "If-Match": etag})
    assert (known.status, matching.status) == (412, 200)


async def test_a_patch_may_be_a_bare_list(raw: Raw) -> None:
    """As the JavaScript SDK sends it."""
    await put(raw, "1", n=1)

    reply = await raw.send("PATCH", f"{ITEMS}/1", [{"op": "incr", "path": "/n", "value": 4}], A)
    batch = await raw.send(
        "POST",
        ITEMS,
        [operation("Patch", "1", resourceBody=[{"op": "incr", "path": "/n", "value": 1}])],
        BATCH,
    )

    assert (reply.status, reply.body["n"]) == (200, 5)
    assert batch.body[0]["resourceBody"]["n"] == 6


@pytest.mark.parametrize("body", ["text", 1, None, {"operations": {}}, [1]])
async def test_a_patch_of_another_form_is_rejected(raw: Raw, body: object) -> None:
    """400."""
    await put(raw, "1")

    reply = await raw.send("PATCH", f"{ITEMS}/1", b"null" if body is None else body, A)

    assert (reply.status, reply.body["code"]) == (400, "BadRequest")


async def test_a_key_that_is_an_object_counts_as_undefined(raw: Raw) -> None:
    """The SDKs send it as an empty object."""
    none = {"x-ms-documentdb-partitionkey": "[{}]"}
    for name, key in (("1", {"a": 1}), ("2", [1]), ("3", {})):
        reply = await raw.send("POST", ITEMS, {"id": name, "pk": key}, none)
        assert (reply.status, reply.body["pk"]) == (201, key)

    assert (await raw.send("GET", f"{ITEMS}/1", headers=none)).body["pk"] == {"a": 1}


@pytest.mark.parametrize("ttl", [None, 0, -2, 1.5, "10", True, 2**31])
async def test_an_items_time_to_live_must_be_one(raw: Raw, ttl: object) -> None:
    """Null is rejected as well, in a batch too; no LSN is taken."""
    single = await raw.send("POST", ITEMS, {**ONE, "ttl": ttl}, A)
    batch = await raw.send(
        "POST", ITEMS, [operation("Create", "1", resourceBody={**ONE, "ttl": ttl})], BATCH
    )

    assert (single.status, batch.status, batch.body[0]["statusCode"]) == (400, 207, 400)
    assert "ttl" in single.body["message"]
    assert batch.headers["lsn"] == "0"


async def test_a_request_has_at_most_2_mb_as_it_is_sent(raw: Raw) -> None:
    """Escaped text counts as it is escaped, as it did in an account."""
    text = "日" * 400_000
    escaped = b'{"id":"1","pk":"a","x":"' + text.encode("ascii", "backslashreplace") + b'"}'
    compact = b'{"id":"1","pk":"a","x":"' + text.encode() + b'"}'

    refused = await raw.send("POST", ITEMS, escaped, A)
    stored = await raw.send("POST", ITEMS, compact, A)

    assert len(escaped) > 2 * MEGABYTE > len(compact)
    assert (refused.status, refused.body["code"]) == (413, "RequestEntityTooLarge")
    assert (stored.status, stored.body["x"]) == (201, text)


async def test_an_item_has_at_most_2_mb_as_it_is_stored(raw: Raw) -> None:
    """A patch cannot make it larger either; what is rejected takes no LSN."""
    await put(raw, "1", x="y" * (MEGABYTE + 1000))

    grown = [{"op": "add", "path": "/z", "value": "y" * (MEGABYTE - 1000)}]
    alone = await raw.send("PATCH", f"{ITEMS}/1", grown, A)
    bulk = await raw.send("POST", ITEMS, [operation("Patch", "1", resourceBody=grown)], BULK)

    assert (alone.status, bulk.body[0]["statusCode"], bulk.headers["lsn"]) == (413, 413, "1")


async def test_a_batch_has_at_most_100_operations(raw: Raw) -> None:
    """400 with what the service says, and nothing is stored."""
    ids = [str(number) for number in range(101)]
    many = await raw.send("POST", ITEMS, creates(*ids), BATCH)
    none = await raw.send("POST", ITEMS, [], BATCH)

    assert (many.status, many.body["code"]) == (400, "BadRequest")
    assert many.body["message"].startswith(
        "Batch request has more operations than what is supported"
    )
    assert none.body["message"].startswith("Batch request has no operations")
    assert many.headers["x-ms-request-charge"] == "0"
    assert (await raw.send("POST", ITEMS, creates(*ids[:100]), BATCH)).status == 200


async def test_a_failed_batch_costs_what_was_done_before_the_failure(raw: Raw) -> None:
    """As an account charged it, though nothing was stored."""
    await put(raw, "taken")

    reply = await raw.send("POST", ITEMS, creates("new", "taken", "never"), BATCH)

    charges = [round(result["requestCharge"], 2) for result in reply.body]
    assert [result["statusCode"] for result in reply.body] == [424, 409, 424]
    assert charges == [5.9, 1.48, 0]
    assert reply.headers["x-ms-request-charge"] == "7.38"
    assert reply.headers["x-ms-item-count"] == "3"


async def test_a_failed_batch_names_the_sub_status_of_the_failure(raw: Raw) -> None:
    """In its header."""
    other = [operation("Create", "1", resourceBody={"id": "1", "pk": "b"})]

    reply = await raw.send("POST", ITEMS, other, BATCH)

    assert (reply.status, reply.sub_status, reply.body[0]["statusCode"]) == (207, 1001, 400)


@pytest.mark.parametrize("flag", ["False", None])
async def test_a_bulk_request_stops_at_the_first_failure_unless_told(
    raw: Raw, flag: str | None
) -> None:
    """What was stored before stays; the rest is 424 and costs nothing."""
    name = "x-ms-cosmos-batch-continue-on-error"
    headers = {key: value for key, value in BULK.items() if key != name}
    if flag is not None:
        headers[name] = flag

    reply = await raw.send("POST", ITEMS, creates("1", "1", "2", "3"), headers)

    assert reply.status == 207
    assert [result["statusCode"] for result in reply.body] == [201, 409, 424, 424]
    assert [result["requestCharge"] for result in reply.body[2:]] == [0, 0]
    assert (await raw.send("GET", f"{ITEMS}/1", headers=A)).status == 200
    assert (await raw.send("GET", f"{ITEMS}/2", headers=A)).status == 404


async def test_a_batch_that_is_not_atomic_may_name_one_key_for_all(raw: Raw) -> None:
    """In the header instead of each operation, as an account took it."""
    headers = {**A, **BULK}
    del headers["x-ms-documentdb-partitionkeyrangeid"]
    operations = [{**operation, "partitionKey": None} for operation in creates("1", "1", "2")]

    reply = await raw.send("POST", ITEMS, operations, headers)

    assert [result["statusCode"] for result in reply.body] == [201, 409, 201]


@pytest.mark.parametrize(
    "members",
    [
        {"operationType": "Create"},
        {"operationType": "Replace", "resourceBody": ONE},
        {"operationType": "Read", "id": 1},
        {"operationType": "Read"},
        {"operationType": "Execute", "id": "1"},
        {"id": "1"},
    ],
)
async def test_an_operation_that_lacks_something_is_rejected(
    raw: Raw, members: dict[str, Any]
) -> None:
    """400 for the operation."""
    reply = await raw.send("POST", ITEMS, [members], BATCH)

    assert (reply.status, reply.body[0]["statusCode"]) == (207, 400)


async def test_errors_cost_what_an_account_charged(raw: Raw) -> None:
    """By what is rejected."""
    await put(raw, "1")
    stale = {**A, "If-Match": '"x"'}

    replies = [
        await raw.send("POST", ITEMS, ONE, A),
        await raw.send("PUT", f"{ITEMS}/1", ONE, stale),
        await raw.send("DELETE", f"{ITEMS}/0", None, A),
        await raw.send("POST", ITEMS, {"pk": "a"}, A),
        await raw.send("GET", f"{ITEMS}/0", None, A),
    ]

    assert [(reply.status, reply.headers["x-ms-request-charge"]) for reply in replies] == [
        (409, "1.48"),
        (412, "1.24"),
        (404, "1.24"),
        (400, "1.24"),
        (404, "1"),
    ]


async def test_a_quoted_key_path_may_have_a_slash(raw: Raw) -> None:
    """The property's name has it."""
    definition = {"id": "quoted", "partitionKey": {"paths": ['/"a/b"']}}
    await raw.send("POST", "/dbs/db/colls", definition)

    path = "/dbs/db/colls/quoted/docs"
    created = await raw.send("POST", path, {"id": "1", "a/b": "a", "a": {"b": "c"}}, A)

    assert created.status == 201
    assert (await raw.send("GET", f"{path}/1", headers=A)).status == 200
