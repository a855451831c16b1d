"""Creating the database and the containers, by several processes at once."""

from __future__ import annotations

import asyncio

from azure.cosmos.aio import CosmosClient

from core.cosmos.client import open_client
from core.cosmos.containers import container_definitions
from core.cosmos.provisioning import ProvisionedContainer, provision
from core.settings import Settings


async def provision_alone(settings: Settings) -> list[ProvisionedContainer]:
    """Provision with a client of its own, as a starting host does."""
    async with open_client(settings.require_connection()) as client:
        return await provision(client, settings)


async def test_hosts_that_start_together_all_start(environ: dict[str, str]) -> None:
    """On an empty account, each container is created by one of them."""
    settings = Settings.from_environ(environ)

    results = await asyncio.gather(*(provision_alone(settings) for _ in range(5)))

    names = [definition.name for definition in container_definitions(settings)]
    assert [[one.name for one in result] for result in results] == [names] * 5
    created = [one.name for result in results for one in result if one.created]
    assert sorted(created) == sorted(names)


async def test_what_is_missing_in_a_database_that_exists_is_created(
    environ: dict[str, str], client: CosmosClient
) -> None:
    """By hosts that start together, too; nothing is created twice."""
    settings = Settings.from_environ(environ)
    await client.create_database(settings.database)

    first = await asyncio.gather(*(provision_alone(settings) for _ in range(5)))
    second = await provision_alone(settings)

    created = [one.name for result in first for one in result if one.created]
    assert sorted(created) == sorted(one.name for one in second)
    assert not any(one.created for one in second)
