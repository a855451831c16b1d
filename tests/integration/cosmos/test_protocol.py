"""The protocol of the embedded Cosmos DB, request by request: statuses, headers, bad input."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import aiohttp
import pytest

from local.cosmos import CosmosOptions, EmbeddedCosmos
from tests.integration.cosmos.raw import BATCH, BULK, FEED, ITEMS, QUERY, A, Raw
from tests.support import until

KEY = "x-ms-documentdb-partitionkey"
PARTITION = "x-ms-documentdb-partitionkeyrangeid"
RID = "x-ms-cosmos-intended-collection-rid"


@pytest.fixture
def cosmos_options() -> dict[str, Any]:
    return {"partitions": 1}


async def put(raw: Raw, *ids: str) -> None:
    """Items with partition key a, each in a transaction of its own."""
    for name in ids:
        reply = await raw.send("POST", ITEMS, {"id": name, "pk": "a"}, A)
        assert reply.status == 201


def batch_of(*operations: tuple[str, str]) -> list[dict[str, Any]]:
    return [
        {"operationType": kind, "id": name, "resourceBody": {"id": name, "pk": "a"}}
        for kind, name in operations
    ]


async def test_the_account_names_its_own_endpoint(cosmos: EmbeddedCosmos, raw: Raw) -> None:
    """Clients switch to it, so scheme and port must be right."""
    reply = await raw.send("GET", "/")

    for locations in ("writableLocations", "readableLocations"):
        assert [location["databaseAccountEndpoint"] for location in reply.body[locations]] == [
            cosmos.endpoint
        ]


async def test_the_account_configures_the_query_engine_of_clients(raw: Raw) -> None:
    """A JSON object in a string, without which the .NET SDK does not start."""
    reply = await raw.send("GET", "/")

    assert json.loads(reply.body["queryEngineConfiguration"])["maxSqlQueryInputLength"] == 262144


@pytest.mark.parametrize("claimed", [True, False])
async def test_an_account_may_claim_several_write_regions(*, claimed: bool) -> None:
    """It still has one."""
    async with (
        EmbeddedCosmos(CosmosOptions(port=0, multiple_write_locations=claimed)) as cosmos,
        aiohttp.ClientSession() as session,
    ):
        account = (await Raw(cosmos.endpoint, session).send("GET", "/")).body

    assert account["enableMultipleWriteLocations"] is claimed
    assert len(account["writableLocations"]) == 1


async def test_a_write_tells_charge_session_and_etag(raw: Raw) -> None:
    """The session token carries the LSN."""
    reply = await raw.send("POST", ITEMS, {"id": "1", "pk": "a"}, A)

    assert float(reply.headers["x-ms-request-charge"]) > 4
    assert reply.headers["x-ms-session-token"] == "0:-1#1"
    assert reply.headers["lsn"] == "1"
    assert reply.headers["etag"] == reply.body["_etag"]


async def test_resource_ids_contain_those_of_their_owners(raw: Raw) -> None:
    """4 bytes of the database, 8 of the container, 16 of the item."""
    await put(raw, "1")
    database = (await raw.send("GET", "/dbs/db")).body
    container = (await raw.send("GET", "/dbs/db/colls/items")).body
    item = (await raw.send("GET", f"{ITEMS}/1", headers=A)).body

    assert [len(resource["_rid"]) for resource in (database, container, item)] == [8, 12, 24]
    assert container["_rid"].startswith(database["_rid"][:5])
    assert item["_rid"].startswith(container["_rid"][:10])
    owners = f"dbs/{database['_rid']}/colls/{container['_rid']}/"
    assert item["_self"] == f"{owners}docs/{item['_rid']}/"


async def test_partition_ranges_are_sent_once(raw: Raw) -> None:
    """304 for who has them."""
    path = "/dbs/db/colls/items/pkranges"
    first = await raw.send("GET", path, headers={"A-IM": "Incremental Feed"})
    known = {"A-IM": "Incremental Feed", "if-none-match": first.headers["etag"]}
    again = await raw.send("GET", path, headers=known)

    spans = [
        (key_range["minInclusive"], key_range["maxExclusive"])
        for key_range in first.body["PartitionKeyRanges"]
    ]
    assert spans == [("", "FF")]
    assert again.status == 304


async def test_every_write_takes_one_lsn(raw: Raw) -> None:
    """Deletes too, without an entry in the feed; a batch takes one, a rejected write none."""
    await put(raw, "1", "2")
    await raw.send("DELETE", f"{ITEMS}/1", headers=A)
    await raw.send("POST", ITEMS, {"id": "2", "pk": "a"}, A)
    await raw.send("POST", ITEMS, batch_of(("Create", "3"), ("Create", "4")), BATCH)

    reply = await raw.send("GET", ITEMS, headers=FEED)

    assert [(item["id"], item["_lsn"]) for item in reply.body["Documents"]] == [
        ("2", 2),
        ("3", 4),
        ("4", 4),
    ]
    assert (reply.headers["etag"], reply.headers["x-ms-session-token"]) == ('"4"', "0:-1#4")


async def test_nothing_new_is_a_304_that_tells_how_far_the_partition_is(raw: Raw) -> None:
    """A delete moves it on."""
    await put(raw, "1", "2")
    await raw.send("DELETE", f"{ITEMS}/1", headers=A)

    reply = await raw.send("GET", ITEMS, headers={**FEED, "If-None-Match": '"2"'})

    assert reply.status == 304
    assert (reply.headers["etag"], reply.headers["x-ms-session-token"]) == ('"3"', "0:-1#3")
    assert reply.headers["x-ms-item-count"] == "0"


async def test_an_entry_of_the_feed_sent_back_stays_one_document(raw: Raw) -> None:
    """`_lsn` is the feed's own, and is not stored."""
    await put(raw, "1")
    entry = (await raw.send("GET", ITEMS, headers=FEED)).body["Documents"][0]

    await raw.send("PUT", f"{ITEMS}/1", entry, A)

    assert "_lsn" not in (await raw.send("GET", f"{ITEMS}/1", headers=A)).body
    feed = (await raw.send("GET", ITEMS, headers=FEED)).body["Documents"]
    assert [item["_lsn"] for item in feed] == [2]


async def test_the_feed_of_one_partition_key_has_its_items_only(raw: Raw) -> None:
    """By header, as REST clients ask for it."""
    await put(raw, "1")
    await raw.send("POST", ITEMS, {"id": "2", "pk": "b"})

    reply = await raw.send("GET", ITEMS, headers={"A-IM": "Incremental feed", **A})

    assert [item["id"] for item in reply.body["Documents"]] == ["1"]


async def test_a_page_says_where_the_next_one_begins(raw: Raw) -> None:
    """Page by page, nothing is seen twice or left out."""
    await put(raw, *(str(number) for number in range(5)))
    seen: list[str] = []
    headers = {**FEED, "x-ms-max-item-count": "2"}
    while (reply := await raw.send("GET", ITEMS, headers=headers)).status == 200:
        seen += [item["id"] for item in reply.body["Documents"]]
        headers["If-None-Match"] = reply.headers["etag"]

    assert seen == ["0", "1", "2", "3", "4"]


async def test_an_unchanged_item_is_not_sent_again(raw: Raw) -> None:
    """304 for a read with its ETag."""
    await put(raw, "1")
    etag = (await raw.send("GET", f"{ITEMS}/1", headers=A)).headers["etag"]

    reply = await raw.send("GET", f"{ITEMS}/1", headers={**A, "If-None-Match": etag})

    assert (reply.status, reply.body) == (304, None)


async def test_etags_differ_inside_a_transaction(raw: Raw) -> None:
    """Each version has its own."""
    reply = await raw.send("POST", ITEMS, batch_of(("Upsert", "1"), ("Upsert", "1")), BATCH)

    first, second = (result["eTag"] for result in reply.body)
    assert first != second


async def test_a_failed_batch_leaves_nothing_not_even_an_lsn(raw: Raw) -> None:
    """And its charge is what was rejected."""
    await put(raw, "2")

    reply = await raw.send("POST", ITEMS, batch_of(("Create", "1"), ("Create", "2")), BATCH)

    assert (reply.status, [result["statusCode"] for result in reply.body]) == (207, [424, 409])
    assert reply.headers["x-ms-session-token"] == "0:-1#1"
    assert (await raw.send("GET", f"{ITEMS}/1", headers=A)).status == 404


async def test_the_bulk_form_shares_one_lsn(raw: Raw) -> None:
    """What succeeded stays, whatever failed beside it."""
    operations = [
        {**operation, "partitionKey": '["a"]'}
        for operation in batch_of(("Create", "1"), ("Create", "1"), ("Create", "2"))
    ]

    reply = await raw.send("POST", ITEMS, operations, BULK)

    assert [result["statusCode"] for result in reply.body] == [201, 409, 201]
    assert reply.headers["x-ms-session-token"] == "0:-1#1"


@pytest.mark.parametrize("cosmos_options", [{"partitions": 1, "throughput": 10}])
async def test_the_bulk_form_throttles_operation_by_operation(raw: Raw) -> None:
    """Those after the budget was used up say how long to wait."""
    operations = [
        {**operation, "partitionKey": '["a"]'}
        for operation in batch_of(*(("Upsert", str(number)) for number in range(10)))
    ]

    reply = await raw.send("POST", ITEMS, operations, BULK)

    statuses = [result["statusCode"] for result in reply.body]
    assert statuses == [201] * 2 + [429] * 8
    assert all(result["retryAfterMilliseconds"] > 0 for result in reply.body[2:])


@pytest.mark.parametrize("cosmos_options", [{"partitions": 1, "throughput": 10}])
async def test_a_throttled_request_tells_exactly_when_to_come_back(raw: Raw) -> None:
    """Not before the balance is positive: the overdraft divided by the rate."""
    operations = batch_of(*(("Create", str(number)) for number in range(20)))
    batch = await raw.send("POST", ITEMS, operations, BATCH)

    reply = await raw.send("GET", f"{ITEMS}/1", headers=A)

    assert (batch.status, reply.status, reply.sub_status) == (200, 429, 3200)
    overdraft = float(batch.headers["x-ms-request-charge"]) - 10
    hint = int(reply.headers["x-ms-retry-after-ms"])
    assert overdraft / 10 * 1000 - 500 < hint <= overdraft / 10 * 1000 + 1
    assert float(reply.headers["x-ms-request-charge"]) == 0


async def test_a_query_pages_by_continuation(raw: Raw) -> None:
    """Under its own limit, and none at the end."""
    await put(raw, "1", "2", "3")
    headers = {**QUERY, "x-ms-max-item-count": "2"}
    question = {"query": "SELECT VALUE c.id FROM c"}

    first = await raw.send("POST", ITEMS, question, headers)
    more = {**headers, "x-ms-continuation": first.headers["x-ms-continuation"]}
    second = await raw.send("POST", ITEMS, question, more)

    assert (first.body["Documents"], second.body["Documents"]) == (["1", "2"], ["3"])
    assert "x-ms-continuation" not in second.headers


@pytest.mark.parametrize(
    ("method", "path", "body", "headers", "status"),
    [
        pytest.param("GET", f"{ITEMS}/none", None, A, (404, 0), id="missing item"),
        pytest.param("GET", "/dbs/none", None, {}, (404, 0), id="missing database"),
        pytest.param("GET", "/dbs/db/colls/x/docs/1", None, A, (404, 1003), id="missing container"),
        pytest.param("POST", ITEMS, {"id": "x", "pk": "b"}, A, (400, 1001), id="another key"),
        pytest.param("PUT", f"{ITEMS}/1", {"id": "1", "pk": "b"}, A, (400, 1001), id="key changed"),
        pytest.param("GET", f"{ITEMS}/1", None, {}, (400, 1001), id="no key"),
        pytest.param("GET", f"{ITEMS}/1", None, {KEY: '["a","b"]'}, (400, 1001), id="two keys"),
        pytest.param("POST", ITEMS, {"id": "x", "pk": "a"}, {}, (400, 1001), id="created keyless"),
        pytest.param(
            *("POST", ITEMS, {"id": "k", "pk": "x" * 2049}, {KEY: f'["{"x" * 2049}"]'}, (400, 0)),
            id="long key",
        ),
        pytest.param("POST", ITEMS, {"pk": "a"}, A, (400, 0), id="no id"),
        pytest.param("POST", ITEMS, {"id": "a/b", "pk": "a"}, A, (400, 0), id="slash in id"),
        pytest.param("POST", ITEMS, {"id": "t", "pk": "a", "ttl": "x"}, A, (400, 0), id="bad ttl"),
        pytest.param("POST", ITEMS, b"{", A, (400, 0), id="no JSON"),
        pytest.param("POST", ITEMS, b'"\xff"', A, (400, 0), id="no UTF-8"),
        pytest.param("POST", ITEMS, [1], A, (400, 0), id="no object"),
        pytest.param("POST", ITEMS, b'{"id":"n","pk":"a","x":NaN}', A, (400, 0), id="NaN"),
        pytest.param("POST", ITEMS, b'{"id":"n","pk":"a","x":1e999}', A, (400, 0), id="infinity"),
        pytest.param("POST", ITEMS, b'{"id":"\\ud800","pk":"a"}', A, (400, 0), id="half a letter"),
        pytest.param("POST", ITEMS, b"[" * 100_000, A, (400, 0), id="endless nesting"),
        pytest.param(
            *("PUT", f"{ITEMS}/1", {"id": "1", "pk": "a"}, {**A, "If-Match": '"x"'}, (412, 0)),
            id="stale ETag",
        ),
        pytest.param("POST", ITEMS, [], BATCH, (400, 0), id="empty batch"),
        pytest.param("POST", ITEMS, [1], BATCH, (400, 0), id="batch of a number"),
        pytest.param("POST", ITEMS, ["x" * 2_100_000], BATCH, (413, 0), id="batch over 2 MB"),
        pytest.param("POST", ITEMS, b"x" * 2_097_153, A, (413, 0), id="request over 2 MB"),
        pytest.param("GET", ITEMS, None, {**FEED, PARTITION: "7"}, (410, 1002), id="feed gone"),
        pytest.param("POST", ITEMS, [{}], {**BULK, PARTITION: "7"}, (410, 1002), id="bulk gone"),
        pytest.param(
            "POST", ITEMS, {"query": "SELECT * FROM c"}, {**QUERY, PARTITION: "7"}, (410, 1002)
        ),
        pytest.param("GET", ITEMS, None, {**FEED, "If-None-Match": "x"}, (400, 0), id="bad token"),
        pytest.param("GET", ITEMS, None, {**FEED, "If-Modified-Since": "x"}, (400, 0), id="date"),
        pytest.param("GET", ITEMS, None, {**FEED, "x-ms-max-item-count": "x"}, (400, 0), id="page"),
        pytest.param("POST", ITEMS, {"parameters": [1]}, QUERY, (400, 0), id="bad parameters"),
        pytest.param("GET", f"{ITEMS}/1", None, {**A, RID: "AAAA"}, (400, 1024), id="another rid"),
        pytest.param("POST", f"{ITEMS}/1", {}, A, (405, 0), id="unknown verb"),
        pytest.param("GET", "/dbs/db/users", None, {}, (405, 0), id="unknown resource"),
    ],
)
async def test_a_error_has_status_sub_status_and_a_body(
    raw: Raw,
    method: str,
    path: str,
    body: object,
    headers: Mapping[str, str],
    status: tuple[int, int],
) -> None:
    """As the service says them; no bad input is a 500."""
    await put(raw, "1")

    reply = await raw.send(method, path, body, headers)

    assert (reply.status, reply.sub_status) == status
    assert set(reply.body) == {"code", "message"}
    assert reply.body["message"]


@pytest.mark.parametrize(
    "definition",
    [
        pytest.param({"partitionKey": None}, id="no key"),
        pytest.param({"partitionKey": {"paths": ["pk"]}}, id="path without slash"),
        pytest.param({"partitionKey": {"paths": ["/a", "/b"], "kind": "MultiHash"}}, id="two"),
        pytest.param({"partitionKey": {"paths": ["/pk"], "version": 1}}, id="old hash"),
        pytest.param({"uniqueKeyPolicy": {"uniqueKeys": [{"paths": ["/x"]}]}}, id="unique keys"),
        pytest.param({"indexingPolicy": {"includedPaths": [1]}}, id="path without path"),
        pytest.param({"indexingPolicy": {"excludedPaths": [{"path": "/a/*"}]}}, id="no root path"),
        pytest.param({"computedProperties": [{"name": "a", "query": "q"}]}, id="computed"),
        pytest.param({"defaultTtl": 0}, id="no time to live"),
        pytest.param({"id": "a/b"}, id="slash in id"),
        pytest.param({"id": ""}, id="empty id"),
    ],
)
async def test_a_container_that_would_behave_otherwise_is_rejected(
    raw: Raw, definition: dict[str, Any]
) -> None:
    """Better no container than one that silently is another."""
    body = {"id": "other", "partitionKey": {"paths": ["/pk"]}, **definition}

    reply = await raw.send("POST", "/dbs/db/colls", body)

    assert (reply.status, reply.body["code"]) == (400, "BadRequest")


async def test_identities_are_rejected_with_what_to_do(raw: Raw) -> None:
    """There is no Entra ID on one machine."""
    reply = await raw.send("GET", "/dbs", headers={"authorization": "type%3Daad%26sig%3Dtoken"})

    assert reply.status == 401
    assert "connection string" in reply.body["message"]


async def test_items_live_as_long_as_the_container_says_now(raw: Raw) -> None:
    """A time to live that is given later counts for what is there already."""
    await put(raw, "1")
    key = {"paths": ["/pk"]}
    replaced = {"id": "items", "partitionKey": key, "defaultTtl": 1}
    await raw.send("PUT", "/dbs/db/colls/items", replaced)

    async def gone() -> bool:
        return (await raw.send("GET", f"{ITEMS}/1", headers=A)).status == 404

    await until(gone)
    assert (await raw.send("GET", ITEMS, headers=FEED)).status == 304
    assert (await raw.send("POST", ITEMS, {"id": "1", "pk": "a"}, A)).status == 201
