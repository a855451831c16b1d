"""Batches, bulk, queries and the change feed: the real SDK against the embedded Cosmos DB."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime, timedelta, timezone
from itertools import chain
from typing import Any

import aiohttp
import pytest
from azure.cosmos import PartitionKey, exceptions
from azure.cosmos.aio import ContainerProxy, CosmosClient

from local.cosmos import EmbeddedCosmos
from local.cosmos.partitions import effective_partition_key


@pytest.fixture
async def container(client: CosmosClient) -> ContainerProxy:
    database = await client.create_database_if_not_exists("db")
    return await database.create_container_if_not_exists("items", PartitionKey("/pk"))


def item(item_id: str, key: str = "a", **more: Any) -> dict[str, Any]:
    return {"id": item_id, "pk": key, **more}


async def ids(items: AsyncIterator[dict[str, Any]]) -> list[str]:
    return [item["id"] async for item in items]


async def test_a_batch_does_all_it_is_asked_to(container: ContainerProxy) -> None:
    """Every kind of operation, in order, under one LSN."""
    await container.create_item(item("1", n=1))

    results = await container.execute_item_batch(
        [
            ("create", (item("2"),)),
            ("upsert", (item("1", n=2),)),
            ("replace", ("2", item("2", n=5))),
            ("patch", ("2", [{"op": "incr", "path": "/n", "value": 1}])),
            ("read", ("2",)),
            ("delete", ("1",)),
        ],
        "a",
    )

    assert [result["statusCode"] for result in results] == [201, 200, 200, 200, 200, 204]
    assert results[4]["resourceBody"]["n"] == 6
    changes = container.query_items_change_feed(start_time="Beginning")
    assert [(item["id"], item["_lsn"]) async for item in changes] == [("2", 2)]


async def test_a_batch_is_all_or_nothing(container: ContainerProxy) -> None:
    """The failed operation says why, the others that they depended on it."""
    await container.create_item(item("2"))

    with pytest.raises(exceptions.CosmosBatchOperationError) as caught:
        await container.execute_item_batch(
            [("create", (item(name),)) for name in ("1", "2", "3")], "a"
        )

    responses = caught.value.operation_responses
    assert [result["statusCode"] for result in responses] == [424, 409, 424]
    assert await ids(container.query_items("SELECT * FROM c", partition_key="a")) == ["2"]


@pytest.mark.parametrize(("count", "accepted"), [(100, True), (101, False)])
async def test_a_batch_has_at_most_100_operations(
    container: ContainerProxy, count: int, *, accepted: bool
) -> None:
    """One more is a 400."""
    operations = [("upsert", (item(str(number)),)) for number in range(count)]

    if accepted:
        assert len(await container.execute_item_batch(operations, "a")) == count
    else:
        with pytest.raises(exceptions.CosmosHttpResponseError) as caught:
            await container.execute_item_batch(operations, "a")
        assert caught.value.status_code == 400


def bulk(partition: str) -> Any:
    """Turns a batch request into the bulk form: by physical partition, not atomic."""

    def change(request: Any) -> None:
        headers = request.http_request.headers
        headers["x-ms-cosmos-batch-atomic"] = "false"
        headers["x-ms-cosmos-batch-continue-on-error"] = "true"
        headers["x-ms-documentdb-partitionkeyrangeid"] = partition
        del headers["x-ms-documentdb-partitionkey"]
        text = request.http_request.body
        for key in ("a", "b", "c"):
            text = text.replace(
                f'"pk":"{key}"}}}}', f'"pk":"{key}"}},"partitionKey":"[\\"{key}\\"]"}}'
            )
        request.http_request.set_text_body(text)

    return change


@pytest.mark.parametrize("cosmos_options", [{"partitions": 1}])
async def test_bulk_does_each_operation_by_itself(
    container: ContainerProxy, cosmos_options: dict[str, Any]
) -> None:
    """Over several partition keys, with one status each."""
    await container.create_item(item("1", "b"))
    operations = [("create", (item("1", key),)) for key in ("a", "b", "c")]

    with pytest.raises(exceptions.CosmosBatchOperationError) as caught:
        await container.execute_item_batch(operations, "a", raw_request_hook=bulk("0"))

    assert [result["statusCode"] for result in caught.value.operation_responses] == [201, 409, 201]
    items = container.query_items("SELECT c.pk FROM c")
    assert sorted([item["pk"] async for item in items]) == ["a", "b", "c"]


async def test_bulk_to_another_partition_is_gone(container: ContainerProxy) -> None:
    """410 for operations whose key lies elsewhere."""
    operations = [("create", (item("1", key),)) for key in ("a", "b", "c")]
    homes = {key: int(effective_partition_key(key)[0], 16) for key in ("a", "b", "c")}

    with pytest.raises(exceptions.CosmosBatchOperationError) as caught:
        await container.execute_item_batch(operations, "a", raw_request_hook=bulk("0"))

    statuses = [result["statusCode"] for result in caught.value.operation_responses]
    assert statuses == [201 if homes[key] == 0 else 410 for key in ("a", "b", "c")]


@pytest.mark.parametrize("key", ["", "a", "ü", "followship-1", 5, -1.5, True, False, None])
async def test_keys_spread_as_in_the_service(container: ContainerProxy, key: Any) -> None:
    """The SDK computes the same effective partition key."""
    feed_range = await container.feed_range_from_partition_key(key)

    assert feed_range["Range"]["min"] == effective_partition_key(key)


QUERIES: list[tuple[str, dict[str, Any], list[Any]]] = [
    ("SELECT VALUE c.id FROM c WHERE c.n = 2", {}, ["2"]),
    ("SELECT VALUE c.id FROM c WHERE c.n > @n ORDER BY c.n DESC", {"@n": 2}, ["4", "3"]),
    ("SELECT VALUE COUNT(1) FROM c", {}, [5]),
    ("SELECT VALUE COUNT(c.n) FROM c", {}, [4]),
    ("SELECT VALUE SUM(c.n) FROM c", {}, [10]),
    ("SELECT VALUE MAX(c.n) FROM c", {}, [4]),
    ("SELECT VALUE AVG(c.n) FROM c", {}, [2.5]),
    ("SELECT VALUE c.id FROM c WHERE STARTSWITH(c.name, @p)", {"@p": "na"}, ["1", "2", "3", "4"]),
    ("SELECT c.n AS number, c.none FROM c WHERE c.id = '3'", {}, [{"number": 3}]),
    ("SELECT VALUE c.id FROM c WHERE c.n IN (1, 4) ORDER BY c.id", {}, ["1", "4"]),
    ("SELECT VALUE c.id FROM c WHERE NOT IS_DEFINED(c.n)", {}, ["5"]),
    ("SELECT VALUE r.id FROM root r WHERE r.n BETWEEN 2 AND 3 ORDER BY r.n", {}, ["2", "3"]),
    ("SELECT VALUE c.id FROM c WHERE c['n'] + 1 = 5", {}, ["4"]),
    ("SELECT TOP 2 VALUE c.id FROM c WHERE c.n > 0 ORDER BY c.n DESC", {}, ["4", "3"]),
    ("SELECT VALUE c.id FROM c WHERE c.n > 0 ORDER BY c.n OFFSET 1 LIMIT 2", {}, ["2", "3"]),
    ("SELECT DISTINCT VALUE c.kind FROM c ORDER BY c.kind", {}, ["even", "odd"]),
    ("SELECT VALUE c.id FROM c WHERE c.n = '2'", {}, []),
    ("SELECT VALUE c.id FROM c WHERE (c.n < 2 OR c.n > 3) AND c.n != 4", {}, ["1"]),
]


@pytest.mark.parametrize(("query", "parameters", "expected"), QUERIES, ids=str)
async def test_queries_over_all_partitions(
    container: ContainerProxy, query: str, parameters: dict[str, Any], expected: list[Any]
) -> None:
    """What the project and its tools ask."""
    for number in range(1, 5):
        kind = "even" if number % 2 == 0 else "odd"
        await container.create_item(
            item(str(number), f"k{number}", n=number, name=f"name{number}", kind=kind)
        )
    await container.create_item(item("5", "k5"))

    items = container.query_items(
        query, parameters=[{"name": name, "value": value} for name, value in parameters.items()]
    )

    results = [item async for item in items]
    assert (results if "ORDER" in query else sorted(results, key=str)) == expected


async def test_many_items_are_read_at_once(container: ContainerProxy) -> None:
    """By the SDK's own long chains of conditions."""
    pairs = [(str(number), f"k{number}") for number in range(600)]
    for name, key in pairs[:50]:
        await container.create_item(item(name, key))

    items = await container.read_items(pairs)

    assert len(items) == 50


@pytest.mark.parametrize(
    ("query", "part"),
    [
        ("SELECT * FROM c JOIN x IN c.list", "JOIN"),
        ("SELECT * FROM c WHERE c.name LIKE 'a%'", "LIKE"),
        ("SELECT c.n FROM c GROUP BY c.n", "GROUP BY"),
        ("SELECT * FROM c WHERE ABS(c.n) = 1", "Function ABS"),
        ("SELECT * FROM c WHERE udf.f(c)", "user-defined function"),
        ("SELECT * FROM c WHERE EXISTS(SELECT 1)", "EXISTS"),
        ("SELECT * FORM c", "Syntax error near 'FORM'"),
        ("SELECT * FROM c WHERE c.n = @missing", "Parameter @missing"),
        ("SELECT * FROM c WHERE d.n = 1", "Identifier 'd'"),
    ],
)
async def test_what_is_not_covered_is_named(
    container: ContainerProxy, query: str, part: str
) -> None:
    """A clear 400, never a wrong answer."""
    await container.create_item(item("1"))

    with pytest.raises(exceptions.CosmosHttpResponseError, match=part) as caught:
        [item async for item in container.query_items(query)]

    assert caught.value.status_code == 400


@pytest.mark.parametrize("query", ["SELECT * FROM c", "SELECT * FROM c ORDER BY c.n"])
async def test_pages_go_on_where_the_last_one_ended(container: ContainerProxy, query: str) -> None:
    """By continuation."""
    for number in range(10):
        await container.create_item(item(f"{number}", f"k{number}", n=number))

    pages = container.query_items(query, max_item_count=3).by_page()
    ids_by_page = [[item["id"] async for item in page] async for page in pages]

    assert {len(page) for page in ids_by_page} <= {1, 2, 3}
    assert sorted(chain.from_iterable(ids_by_page)) == [str(number) for number in range(10)]


async def test_the_feed_has_each_item_once_in_its_latest_version(
    container: ContainerProxy,
) -> None:
    """A changed item moves to its new place, a deleted one disappears."""
    for name in ("1", "2", "3"):
        await container.create_item(item(name))
    await container.upsert_item(item("1", n=2))
    await container.delete_item("2", "a")

    changes = container.query_items_change_feed(start_time="Beginning")

    assert [(item["id"], item["_lsn"]) async for item in changes] == [("3", 3), ("1", 4)]


async def test_the_feed_begins_where_it_is_told(container: ContainerProxy) -> None:
    """Now, a time, a partition key, a feed range, a continuation."""
    await container.create_item(item("1", "a"))
    await container.create_item(item("2", "b"))
    feed = container.query_items_change_feed
    now, later = feed(start_time="Now"), datetime.now(timezone.utc) + timedelta(hours=1)

    assert await ids(now) == []
    assert await ids(feed(start_time=later)) == []
    assert sorted(await ids(feed(start_time=later - timedelta(hours=2)))) == ["1", "2"]
    assert await ids(feed(start_time="Beginning", partition_key="b")) == ["2"]
    ranges = [key_range async for key_range in container.read_feed_ranges()]
    by_range = [
        await ids(feed(start_time="Beginning", feed_range=key_range)) for key_range in ranges
    ]
    assert sorted(chain.from_iterable(by_range)) == ["1", "2"]


async def test_the_feed_goes_on_from_a_continuation(container: ContainerProxy) -> None:
    """Only what came since."""
    seen: list[str] = []

    def note(headers: Any, _: object) -> None:
        seen.append(headers["etag"])

    await container.create_item(item("1"))
    changes = container.query_items_change_feed(start_time="Beginning")
    pages = changes.by_page()
    async for page in pages:
        assert await ids(page) in (["1"], [])
    continuation = pages.continuation_token  # type: ignore[attr-defined] # of azure-core's pager
    await container.create_item(item("2"))

    more = container.query_items_change_feed(continuation=continuation, response_hook=note)

    assert await ids(more) == ["2"]
    assert '"2"' in seen


async def test_a_transaction_is_never_split_over_pages(container: ContainerProxy) -> None:
    """The size of a page is a hint."""
    await container.execute_item_batch([("create", (item(str(n)),)) for n in range(5)], "a")
    await container.create_item(item("x"))

    pages = container.query_items_change_feed(start_time="Beginning", max_item_count=2).by_page()
    sizes = [len([item async for item in page]) async for page in pages]

    assert [size for size in sizes if size] == [5, 1]


async def test_another_feed_mode_is_rejected(
    cosmos: EmbeddedCosmos, container: ContainerProxy
) -> None:
    """By name."""
    with pytest.raises(exceptions.CosmosHttpResponseError, match="AllVersionsAndDeletes"):
        await ids(container.query_items_change_feed(mode="AllVersionsAndDeletes"))


async def test_a_request_without_a_signature_is_rejected(cosmos: EmbeddedCosmos) -> None:
    """401 with the service's form of an error."""
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{cosmos.endpoint}dbs") as response,
    ):
        assert response.status == 401
        assert (await response.json())["code"] == "Unauthorized"
