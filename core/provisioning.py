"""Creates the database and the containers that the app needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from azure.cosmos import PartitionKey

from core.containers import Container, containers
from core.cosmos import cosmos_errors
from core.errors import ConflictError

if TYPE_CHECKING:
    from azure.cosmos.aio import CosmosClient, DatabaseProxy

    from core.settings import Settings


@dataclass(frozen=True, kw_only=True)
class Provisioned:
    """A container that is there now, and whether it was created just now."""

    name: str
    created: bool


async def provision(client: CosmosClient, settings: Settings) -> list[Provisioned]:
    """Create what is missing; change nothing that is there.

    Raises:
        CosmosError: It cannot be created; data-plane identities may not, keys may.
    """
    with cosmos_errors(f"creating database {settings.database}"):
        database = await client.create_database_if_not_exists(settings.database)
    return [
        Provisioned(name=each.name, created=await _create(database, each))
        for each in containers(settings)
    ]


async def _create(database: DatabaseProxy, container: Container) -> bool:
    try:
        with cosmos_errors(f"creating container {container.name}"):
            await database.create_container(
                container.name,
                PartitionKey(container.partition_key),
                indexing_policy=container.indexing_policy,
                default_ttl=container.default_ttl,
            )
    except ConflictError:
        return False
    return True
