"""Creates the database and the containers that the app needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from azure.cosmos import PartitionKey

from core.cosmos.containers import ContainerDefinition, container_definitions
from core.cosmos.requests import Requests
from core.errors import ConflictError
from core.throttling.deadline import Deadline
from core.throttling.rate_limiters import RateLimiters
from core.throttling.retrier import Retrier

if TYPE_CHECKING:
    from azure.cosmos.aio import CosmosClient, DatabaseProxy

    from core.settings import Settings

_TIMEOUT_SECONDS = 15.0
"""The seconds in which an account must have responded."""

_LIMITER = "control plane"


@dataclass(frozen=True, kw_only=True)
class ProvisionedContainer:
    """A container that exists, and whether it was created just now."""

    name: str
    created: bool


async def provision(client: CosmosClient, settings: Settings) -> list[ProvisionedContainer]:
    """Create what is missing, and change nothing that exists; others may do so at the same time.

    Raises:
        DeadlineExceededError: If Cosmos DB does not respond in time.
        CosmosError: If it cannot be created; data-plane identities may not, keys may.
    """
    requests = Requests(limiters=RateLimiters(), retrier=Retrier())
    deadline = Deadline.after(_TIMEOUT_SECONDS)
    database = await _create_database(requests, client, settings.database, deadline)
    return [
        ProvisionedContainer(
            name=definition.name, created=await _create(requests, database, definition, deadline)
        )
        for definition in container_definitions(settings)
    ]


async def _create_database(
    requests: Requests, client: CosmosClient, name: str, deadline: Deadline
) -> DatabaseProxy:
    try:
        return await requests.send(
            f"creating database {name}",
            lambda _: client.create_database_if_not_exists(name),
            partition=_LIMITER,
            deadline=deadline,
        )
    except ConflictError:  # another process created it after it was looked for
        return client.get_database_client(name)


async def _create(
    requests: Requests, database: DatabaseProxy, definition: ContainerDefinition, deadline: Deadline
) -> bool:
    try:
        await requests.send(
            f"creating container {definition.name}",
            lambda _: database.create_container(
                definition.name,
                PartitionKey(definition.partition_key),
                indexing_policy=definition.indexing_policy,
                default_ttl=definition.default_ttl,
            ),
            partition=_LIMITER,
            deadline=deadline,
        )
    except ConflictError:
        return False
    return True
