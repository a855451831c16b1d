"""What SDKs read beside the data: texts of errors, and what a container says of itself."""

from __future__ import annotations

from typing import Any

import pytest
from azure.cosmos import PartitionKey
from azure.cosmos.aio import CosmosClient
from azure.cosmos.exceptions import CosmosResourceNotFoundError

from tests.integration.cosmos.raw import BATCH, ITEMS, QUERY, A, Raw

QUOTA = {
    "x-ms-documentdb-populatequotainfo": "true",
    "x-ms-documentdb-populatepartitionstatistics": "true",
}


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "Batch request has no operations."), (101, "more operations than what is supported.")],
)
async def test_a_batch_of_a_wrong_size_is_rejected_with_the_services_text(
    raw: Raw, count: int, text: str
) -> None:
    """A batch has 1 to 100 operations."""
    operation = {"operationType": "Create", "resourceBody": {"id": "1", "pk": "a"}}

    reply = await raw.send("POST", ITEMS, [operation] * count, BATCH)

    assert (reply.status, reply.body["code"]) == (400, "BadRequest")
    assert text in reply.body["message"]


@pytest.mark.parametrize(
    ("path", "length", "limit"),
    [("/dbs", 256, 255), ("/dbs/db/colls", 256, 255), (ITEMS, 1024, 1024), ("/dbs", 0, 255)],
)
async def test_an_id_that_is_too_long_or_empty_is_rejected_in_the_services_words(
    raw: Raw, path: str, length: int, limit: int
) -> None:
    """Clients match the text, in which the number is the service's."""
    members: dict[str, dict[str, Any]] = {
        "/dbs": {},
        "/dbs/db/colls": {"partitionKey": {"paths": ["/pk"]}},
        ITEMS: {"pk": "a"},
    }

    reply = await raw.send("POST", path, {"id": "x" * length, **members[path]}, A)

    assert reply.status == 400
    assert f"unique non-empty string less than '{limit}' characters" in reply.body["message"]


async def test_a_container_answers_its_quota_where_it_is_asked_for(raw: Raw) -> None:
    """Headers with the quota, the usage and the progress of the index; statistics in the body."""
    await raw.send("POST", ITEMS, {"id": "1", "pk": "a"}, A)

    reply = await raw.send("GET", "/dbs/db/colls/items", headers=QUOTA)

    assert "documentsCount=1;" in reply.headers["x-ms-resource-usage"]
    assert "collectionSize=" in reply.headers["x-ms-resource-quota"]
    assert reply.headers["x-ms-documentdb-collection-index-transformation-progress"] == "100"
    counts = {row["id"]: row["documentCount"] for row in reply.body["statistics"]}
    assert sum(counts.values()) == 1
    assert list(counts) == ["0", "1", "2", "3"]


async def test_a_container_says_nothing_of_its_quota_unasked(raw: Raw) -> None:
    """It costs a count of the items."""
    reply = await raw.send("GET", "/dbs/db/colls/items")

    assert "x-ms-resource-usage" not in reply.headers
    assert "statistics" not in reply.body


async def test_a_read_says_where_the_item_is(raw: Raw) -> None:
    """Clients learn from it which region has answered."""
    await raw.send("POST", ITEMS, {"id": "ä", "pk": "a"}, A)

    reply = await raw.send("GET", f"{ITEMS}/ä", headers=A)

    assert reply.headers["content-location"] == f"{raw.endpoint.rstrip('/')}{ITEMS}/%C3%A4"


async def test_an_account_with_one_write_region_has_no_conflicts(client: CosmosClient) -> None:
    """They are listed and queried as nothing, and cannot be read or deleted."""
    database = await client.create_database("db")
    container = await database.create_container("items", PartitionKey("/pk"))
    query = "SELECT * FROM c"

    assert [conflict async for conflict in container.list_conflicts()] == []
    assert [
        conflict async for conflict in container.query_conflicts(query, partition_key="a")
    ] == []
    for request in (container.get_conflict, container.delete_conflict):
        with pytest.raises(CosmosResourceNotFoundError):
            await request("1", partition_key="a")


async def test_conflicts_of_all_partitions_are_queried_by_header_only(raw: Raw) -> None:
    """As items are."""
    body, kind = {"query": "SELECT * FROM c"}, {"content-type": "application/query+json"}

    refused = await raw.send("POST", "/dbs/db/colls/items/conflicts", body, kind)
    answered = await raw.send("POST", "/dbs/db/colls/items/conflicts", body, QUERY)

    assert (refused.status, answered.status, answered.body["_count"]) == (400, 200, 0)
