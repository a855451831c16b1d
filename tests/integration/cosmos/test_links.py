"""Links by resource id: `_self` links, and those that the .NET SDK sends."""

from __future__ import annotations

from typing import Any

import pytest
from azure.cosmos import CosmosClient as SyncClient
from azure.cosmos import PartitionKey, exceptions
from azure.cosmos.aio import CosmosClient

from local.cosmos import WELL_KNOWN_KEY, CosmosOptions, EmbeddedCosmos, run_in_thread
from tests.integration.cosmos.raw import BATCH, FEED, ITEMS, QUERY, A, Raw, Reply

BODY = {"id": "1", "pk": "a"}


@pytest.fixture
def cosmos_options() -> dict[str, Any]:
    return {"partitions": 1}


@pytest.fixture
async def raw(raw: Raw) -> Raw:
    """A container with one item."""
    await raw.send("POST", ITEMS, BODY, A)
    return raw


async def by_rid(
    raw: Raw, method: str, name: str, below: str = "", *args: Any, slash: str = "/"
) -> Reply:
    """Send a request for what is below the resource of a name, by its `_self` link."""
    resource = (await raw.send("GET", name, headers=A)).body
    path = f"/{resource['_self']}{below}".rstrip("/") + slash
    return await raw.send(method, path, *args, by_rid=True)


@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize(
    ("method", "name", "below", "args", "status"),
    [
        ("GET", "/dbs/db", "", (), 200),
        ("GET", "/dbs/db", "colls", (), 200),
        ("POST", "/dbs/db", "colls", ({"id": "c", "partitionKey": {"paths": ["/pk"]}},), 201),
        ("DELETE", "/dbs/db", "", (), 204),
        ("GET", "/dbs/db/colls/items", "", (), 200),
        ("GET", "/dbs/db/colls/items", "pkranges", (), 200),
        ("DELETE", "/dbs/db/colls/items", "", (), 204),
        ("GET", "/dbs/db/colls/items", "docs", (None, FEED), 200),
        ("GET", "/dbs/db/colls/items", "docs", (), 200),
        ("POST", "/dbs/db/colls/items", "docs", ({"query": "SELECT * FROM c"}, QUERY), 200),
        ("POST", "/dbs/db/colls/items", "docs", ({"id": "2", "pk": "a"}, A), 201),
        (
            "POST",
            "/dbs/db/colls/items",
            "docs",
            ([{"operationType": "Read", "id": "1"}], BATCH),
            200,
        ),
        ("GET", f"{ITEMS}/1", "", (None, A), 200),
        ("PUT", f"{ITEMS}/1", "", (BODY, A), 200),
        ("PATCH", f"{ITEMS}/1", "", ([{"op": "set", "path": "/n", "value": 1}], A), 200),
        (
            "PATCH",
            f"{ITEMS}/1",
            "",
            ({"operations": [{"op": "set", "path": "/n", "value": 1}]}, A),
            200,
        ),
        ("DELETE", f"{ITEMS}/1", "", (None, A), 204),
    ],
)
async def test_every_resource_has_a_link_by_resource_id(
    raw: Raw, method: str, name: str, below: str, args: tuple[Any, ...], status: int, slash: str
) -> None:
    """Whatever the verb, with a slash at the end and without."""
    reply = await by_rid(raw, method, name, below, *args, slash=slash)

    assert reply.status == status


async def test_statistics_count_requests_by_resource_id(cosmos: EmbeddedCosmos, raw: Raw) -> None:
    """They belong to the same container."""
    await by_rid(raw, "GET", "/dbs/db/colls/items", "docs", None, FEED)

    async with raw.session.get(f"{cosmos.endpoint}_local/statistics") as response:
        assert (await response.json())["containers"]["db/items"]["requests"] == 2


async def test_a_link_by_resource_id_ends_with_its_resource(raw: Raw) -> None:
    """An item that is created anew is another one, as is a container."""
    before = (await raw.send("GET", f"{ITEMS}/1", headers=A)).body
    await raw.send("DELETE", f"{ITEMS}/1", headers=A)
    await raw.send("POST", ITEMS, BODY, A)

    reply = await raw.send("GET", f"/{before['_self']}", headers=A, by_rid=True)

    assert reply.status == 404


async def test_names_may_look_like_resource_ids(raw: Raw) -> None:
    """A link is made of names or of resource ids as a whole."""
    container = (await raw.send("GET", "/dbs/db/colls/items")).body["_rid"]
    database = (await raw.send("GET", "/dbs/db")).body["_rid"]
    key = {"paths": ["/pk"]}
    await raw.send("POST", "/dbs/db/colls", {"id": container, "partitionKey": key})
    await raw.send("POST", ITEMS, {"id": container, "pk": "a"}, A)
    await raw.send("POST", "/dbs", {"id": database})

    named = await raw.send("GET", f"/dbs/db/colls/{container}")
    item = await raw.send("GET", f"{ITEMS}/{container}", headers=A)
    owner = await raw.send("GET", f"/dbs/{database}")

    assert named.body["id"] == item.body["id"] == container
    assert owner.body["id"] == database


async def test_a_link_of_names_and_resource_ids_leads_nowhere(raw: Raw) -> None:
    """Neither signature makes it one."""
    database = (await raw.send("GET", "/dbs/db")).body["_rid"]
    link = f"/dbs/{database}/colls/items"

    replies = [await raw.send("GET", link, by_rid=by_rid) for by_rid in (True, False)]

    assert [reply.status for reply in replies] == [401, 404]


async def test_an_item_that_was_read_stands_for_itself(client: CosmosClient) -> None:
    """The SDK then sends and signs its `_self` link."""
    database = await client.create_database("db")
    container = await database.create_container("items", PartitionKey("/pk"))
    item = await container.create_item({"id": "1", "pk": "a", "n": 1})

    await container.replace_item(item, {"id": "1", "pk": "a", "n": 2})
    await container.patch_item(item, "a", [{"op": "incr", "path": "/n", "value": 1}])
    read = await container.read_item(item, "a")
    await container.delete_item(item, "a")

    assert read["n"] == 3
    with pytest.raises(exceptions.CosmosResourceNotFoundError):
        await container.read_item(item, "a")


def test_an_item_that_was_read_stands_for_itself_in_the_sync_sdk() -> None:
    """As above."""
    with (
        run_in_thread(CosmosOptions(port=0)) as server,
        SyncClient(server.endpoint, WELL_KNOWN_KEY) as client,
    ):
        container = client.create_database("db").create_container("items", PartitionKey("/pk"))
        item = container.create_item({"id": "1", "pk": "a", "n": 1})

        container.replace_item(item, {"id": "1", "pk": "a", "n": 2})
        read = container.read_item(item, "a")
        container.delete_item(item, "a")

    assert read["n"] == 2
