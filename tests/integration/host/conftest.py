"""Fixtures of the tests of the host."""

from __future__ import annotations

import pytest
from azure.cosmos import PartitionKey
from azure.cosmos.aio import ContainerProxy, CosmosClient, DatabaseProxy


@pytest.fixture
async def database(observer: CosmosClient) -> DatabaseProxy:
    database = await observer.create_database("db")
    await database.create_container("events", PartitionKey("/streamId"))
    await database.create_container("leases", PartitionKey("/id"), default_ttl=-1)
    return database


@pytest.fixture
def events(database: DatabaseProxy) -> ContainerProxy:
    return database.get_container_client("events")
