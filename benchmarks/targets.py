"""Fresh containers to write into."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from azure.cosmos import PartitionKey
from azure.cosmos.aio import CosmosClient

from core.cosmos.containers import container_definitions
from local.cosmos import WELL_KNOWN_KEY

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from azure.cosmos.aio import ContainerProxy, DatabaseProxy

    from core.settings import Settings


@dataclass(frozen=True)
class Target:
    """A fresh container.

    Attributes:
        endpoint: Of the account.
        database: Its name.
        container: As the engine opens it.
        plain: The same, as the SDK opens it if it is told nothing.
        spare: Another fresh one, to try things in.
    """

    endpoint: str
    database: str
    container: ContainerProxy
    plain: ContainerProxy
    spare: ContainerProxy

    @property
    def name(self) -> str:
        """Of the container."""
        return str(self.container.id)


@asynccontextmanager
async def target(
    endpoint: str, database: DatabaseProxy, settings: Settings, throughput: int | None = None
) -> AsyncIterator[Target]:
    """A target, as long as it is used; with so many RU/s, or without limit."""
    container = await _fresh(database, settings, "target", throughput)
    spare = await _fresh(database, settings, "spare", None)
    try:
        async with CosmosClient(endpoint, WELL_KNOWN_KEY) as sdk:
            plain = sdk.get_database_client(settings.database).get_container_client("target")
            await plain.read()
            yield Target(endpoint, settings.database, container, plain, spare)
    finally:
        for one in (container, spare):
            await database.delete_container(one)


async def _fresh(
    database: DatabaseProxy, settings: Settings, name: str, throughput: int | None
) -> ContainerProxy:
    definition = container_definitions(settings)[0]
    container: ContainerProxy = await database.create_container(
        name,
        PartitionKey(definition.partition_key),
        indexing_policy=definition.indexing_policy,
        offer_throughput=throughput,
    )
    await container.read()
    return container
