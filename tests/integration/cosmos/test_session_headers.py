"""The headers from which SDKs keep session tokens."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from azure.cosmos import CosmosClient as SyncClient
from azure.cosmos import PartitionKey
from azure.cosmos.aio import ContainerProxy, CosmosClient

from local.cosmos import WELL_KNOWN_KEY, CosmosOptions, EmbeddedCosmos, run_in_thread
from tests.integration.cosmos.raw import BATCH, BULK, FEED, ITEMS, QUERY, A, Raw

TOKEN = "x-ms-session-token"
OPERATIONS = [{"operationType": "Upsert", "id": "1", "resourceBody": {"id": "1", "pk": "a"}}]


@pytest.mark.parametrize("cosmos_options", [{"partitions": 1}])
@pytest.mark.parametrize(
    ("method", "path", "body", "headers", "status"),
    [
        ("POST", ITEMS, {"id": "2", "pk": "a"}, A, 201),
        ("POST", ITEMS, {"id": "1", "pk": "a"}, A, 409),
        ("GET", f"{ITEMS}/1", None, A, 200),
        ("GET", f"{ITEMS}/none", None, A, 404),
        ("PUT", f"{ITEMS}/1", {"id": "1", "pk": "a"}, {**A, "if-match": "x"}, 412),
        ("DELETE", f"{ITEMS}/1", None, A, 204),
        ("POST", ITEMS, OPERATIONS, BATCH, 200),
        ("POST", ITEMS, [{**OPERATIONS[0], "partitionKey": '["a"]'}], BULK, 200),
        ("POST", ITEMS, {"query": "SELECT * FROM c"}, QUERY, 200),
        ("GET", ITEMS, None, FEED, 200),
        ("GET", ITEMS, None, {**FEED, "if-none-match": '"1"'}, 304),
    ],
)
async def test_answers_tell_the_session_and_whose_it_is(
    raw: Raw, method: str, path: str, body: Any, headers: dict[str, str], status: int
) -> None:
    """Whatever the request; rejected ones as well, whose clients go on from there."""
    await raw.send("POST", ITEMS, {"id": "1", "pk": "a"}, A)
    container = (await raw.send("GET", "/dbs/db/colls/items")).body

    reply = await raw.send(method, path, body, headers)

    assert reply.status == status
    assert reply.headers[TOKEN] == f"0:-1#{reply.headers['lsn']}"
    assert reply.headers["x-ms-documentdb-partitionkeyrangeid"] == "0"
    assert reply.headers["x-ms-alt-content-path"] == "dbs/db/colls/items"
    assert reply.headers["x-ms-content-path"] == container["_rid"]


class Sent:
    """The session tokens that a client sends, by its `raw_request_hook`."""

    def __init__(self) -> None:
        self.tokens: list[str | None] = []

    def __call__(self, request: Any) -> None:
        self.tokens.append(request.http_request.headers.get(TOKEN))


NAMES = pytest.mark.parametrize("name", ["items", "my items", "ünï 🦊 %20"])


@NAMES
async def test_an_async_client_sends_the_token_of_its_last_write(
    cosmos: EmbeddedCosmos, client: CosmosClient, name: str
) -> None:
    """With reads, queries, batches and the feed."""
    database = await client.create_database("db")
    container: ContainerProxy = await database.create_container(name, PartitionKey("/pk"))
    written = await container.create_item({"id": "1", "pk": "a"})
    token = written.get_response_headers()[TOKEN]
    sent = Sent()
    hook: Any = {"raw_request_hook": sent}

    await container.read_item("1", "a", **hook)
    await container.execute_item_batch([("read", ("1",))], "a", **hook)
    query = container.query_items("SELECT * FROM c", partition_key="a", **hook)
    assert [item["id"] async for item in query] == ["1"]
    feed = container.query_items_change_feed(partition_key="a", start_time="Beginning", **hook)
    assert [item["id"] async for item in feed] == ["1"]

    assert len(sent.tokens) >= 4
    assert set(sent.tokens) == {token}


@pytest.fixture
def server() -> Iterator[EmbeddedCosmos]:
    with run_in_thread(CosmosOptions(port=0, partitions=4)) as running:
        yield running


@NAMES
def test_a_sync_client_sends_the_token_of_its_last_write(server: EmbeddedCosmos, name: str) -> None:
    """Of a delete too, which has no body."""
    with SyncClient(server.endpoint, WELL_KNOWN_KEY) as client:
        container = client.create_database("db").create_container(name, PartitionKey("/pk"))
        for number in range(2):
            container.create_item({"id": str(number), "pk": "a"})
        last = Sent()
        container.delete_item(
            "0", "a", response_hook=lambda headers, _: last.tokens.append(headers[TOKEN])
        )
        sent = Sent()
        hook: Any = {"raw_request_hook": sent}

        container.read_item("1", "a", **hook)
        assert len(list(container.query_items("SELECT * FROM c", partition_key="a", **hook))) == 1

    assert set(sent.tokens) == set(last.tokens)
