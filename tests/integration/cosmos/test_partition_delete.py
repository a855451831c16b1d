"""Deleting all items of a partition key in one request."""

from __future__ import annotations

import pytest
from azure.cosmos import PartitionKey
from azure.cosmos.aio import ContainerProxy, CosmosClient

from tests.integration.cosmos.raw import ITEMS, A, Raw

CONTAINER = "/dbs/db/colls/items"


@pytest.fixture
async def container(client: CosmosClient) -> ContainerProxy:
    """A container whose items have partition keys a and b, and a time to live where they ask."""
    database = await client.create_database("db")
    created = await database.create_container("items", PartitionKey("/pk"), default_ttl=-1)
    for key, name in (("a", "1"), ("a", "2"), ("b", "1")):
        await created.create_item({"id": name, "pk": key})
    return created


async def test_all_items_of_a_partition_key_are_deleted(container: ContainerProxy) -> None:
    """Those of another key stay; the request is signed as the container, not by its path."""
    await container.delete_all_items_by_partition_key("a")

    remaining = [(item["pk"], item["id"]) async for item in container.read_all_items()]
    assert remaining == [("b", "1")]


async def test_a_partition_key_without_items_can_be_deleted(container: ContainerProxy) -> None:
    """It leaves all other items."""
    await container.delete_all_items_by_partition_key("none")

    assert len([item async for item in container.read_all_items()]) == 3


async def test_it_counts_as_a_request_for_items(raw: Raw) -> None:
    """In the statistics, and with the headers by which SDKs keep the session token."""
    for name in ("1", "2"):
        await raw.send("POST", ITEMS, {"id": name, "pk": "a"}, A)

    reply = await raw.send("POST", f"{CONTAINER}/operations/partitionkeydelete", b"", A)

    assert (reply.status, reply.headers["lsn"]) == (200, "3")
    assert reply.headers["x-ms-alt-content-path"] == CONTAINER.strip("/")
    async with raw.session.get(f"{raw.endpoint}_local/statistics") as response:
        assert (await response.json())["containers"]["db/items"]["requests"] == 3


async def test_another_operation_on_a_container_is_not_covered(raw: Raw) -> None:
    """The answer names it."""
    reply = await raw.send("POST", f"{CONTAINER}/operations/other", b"", A)

    assert reply.status == 405
    assert "'other'" in reply.body["message"]
