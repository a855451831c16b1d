"""Creates the database and the containers that the app needs."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from azure.cosmos import PartitionKey

from core.cosmos.containers import ContainerDefinition, container_definitions
from core.cosmos.gates import RateLimiters
from core.cosmos.retrying import Retrier
from core.errors import ConflictError
from core.throttling.deadline import Deadline

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from azure.cosmos.aio import CosmosClient, DatabaseProxy

    from core.settings import Settings

    _Send = Callable[[str, Callable[[], Awaitable[Any]]], Awaitable[Any]]

_SECONDS = 15.0
"""Until an account that does not answer is given up."""


@dataclass(frozen=True, kw_only=True)
class ProvisionedContainer:
    """A container that is there now, and whether it was created just now."""

    name: str
    created: bool


async def provision(client: CosmosClient, settings: Settings) -> list[ProvisionedContainer]:
    """Create what is missing; change nothing that is there.

    Raises:
        DeadlineExceededError: Cosmos DB did not take it in time.
        CosmosError: It cannot be created; data-plane identities may not, keys may.
    """
    send = partial(
        Retrier(gates=RateLimiters()).request,
        partition="control plane",
        deadline=Deadline.after(_SECONDS),
    )
    database = await send(
        f"creating database {settings.database}",
        lambda: client.create_database_if_not_exists(settings.database),
    )
    return [
        ProvisionedContainer(name=each.name, created=await _create(send, database, each))
        for each in container_definitions(settings)
    ]


async def _create(send: _Send, database: DatabaseProxy, container: ContainerDefinition) -> bool:
    try:
        await send(
            f"creating container {container.name}",
            lambda: database.create_container(
                container.name,
                PartitionKey(container.partition_key),
                indexing_policy=container.indexing_policy,
                default_ttl=container.default_ttl,
            ),
        )
    except ConflictError:
        return False
    return True
