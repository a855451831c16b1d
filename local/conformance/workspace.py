"""The database of the checks, which is created for a run and removed afterwards."""

from __future__ import annotations

import asyncio
import json
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from azure.core.exceptions import AzureError
from azure.cosmos import PartitionKey
from azure.cosmos.aio import CosmosClient

from core.cosmos.containers import container_definitions
from core.settings import Settings
from local.conformance.responses import Responses, creates, response_to

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping

    from azure.cosmos.aio import ContainerProxy, DatabaseProxy

    from local.conformance.responses import Response

KILOBYTE = 1024

_OVERHEAD = 480
"""The size in bytes of a document without its text, with its system properties."""


@dataclass(frozen=True, kw_only=True)
class Target:
    """The account to check.

    Attributes:
        endpoint: The URL of the account.
        key: The key of the account.
        credentials: A key or a token credential for each role that can be checked, by role.
    """

    endpoint: str
    key: str
    credentials: Mapping[str, Any] = field(default_factory=dict)


class WorkspaceError(Exception):
    """The database of the checks cannot be created or removed."""


@dataclass(frozen=True, kw_only=True)
class Workspace:
    """The resources that checks use.

    Attributes:
        target: The account.
        client: A client of the SDK, with a session.
        second_client: A client with another session.
        database: The database of this run.
        events: A container that is defined like the app's events container, with TTL (-1).
        plain: A container that is defined like it, without TTL.
    """

    target: Target
    client: CosmosClient
    second_client: CosmosClient
    database: DatabaseProxy
    events: ContainerProxy
    plain: ContainerProxy
    _numbers: Iterator[int] = field(default_factory=count)

    def stream(self) -> str:
        """Return the id of a new stream."""
        return f"followship-{uuid4()}"

    def document(self, stream: str, item_id: str | None = None, **members: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
        """Return a small event of a stream."""
        return {
            "id": item_id or f"d{next(self._numbers):08}",
            "streamId": stream,
            "type": "Followed",
            "version": 1,
            **members,
        }

    def sized(self, stream: str, size: int) -> dict[str, Any]:
        """Return an event of about the given size in bytes, including system properties."""
        return self.document(stream, data={"text": "x" * (size - _OVERHEAD)})

    async def append(self, stream: str, *documents: dict[str, Any]) -> Response:
        """Return the response to a transactional batch that creates the documents."""
        return await response_to(
            lambda hook: self.events.execute_item_batch(
                creates(documents), stream, raw_response_hook=hook
            )
        )

    async def read_in_batch(
        self, stream: str, item_id: str, *, by_second_client: bool = False
    ) -> Response:
        """Return the response to a transactional batch of one read."""
        container = self.events_in_second_client() if by_second_client else self.events
        return await response_to(
            lambda hook: container.execute_item_batch(
                [("read", (item_id,))], stream, raw_response_hook=hook
            )
        )

    def events_in_second_client(self) -> ContainerProxy:
        """Return the events container in the second client."""
        return self.second_client.get_database_client(self.database.id).get_container_client(
            "events"
        )

    async def range_ids(self) -> list[tuple[str, str, str]]:
        """Return minimum, maximum and id of each physical partition, in key order."""
        responses = Responses()
        listed = self.events.read_feed_ranges(force_refresh=True, raw_response_hook=responses)
        _ = [key_range async for key_range in listed]
        return sorted(
            {
                (key_range["minInclusive"], key_range["maxExclusive"], key_range["id"])
                for response in responses.all
                for key_range in _ranges(response.text)
            }
        )

    async def range_id(self, stream: str) -> str:
        """Return the id of the physical partition of a stream."""
        key_range = await self.events.feed_range_from_partition_key(stream)
        key = str(key_range["Range"]["min"])
        return next(rid for start, end, rid in await self.range_ids() if start <= key < end)


def new_name() -> str:
    """Return a new name for a database."""
    return f"conformance-{uuid4().hex[:12]}"


@asynccontextmanager
async def open_workspace(target: Target) -> AsyncIterator[Workspace]:
    """Create a database with containers, and remove it afterwards.

    Raises:
        WorkspaceError: If it cannot be created or removed.
    """
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(CosmosClient(target.endpoint, target.key))
        second_client = await stack.enter_async_context(CosmosClient(target.endpoint, target.key))
        database = await stack.enter_async_context(_temporary_database(client, new_name()))
        yield Workspace(
            target=target,
            client=client,
            second_client=second_client,
            database=database,
            events=await _create_container(database, "events", -1),
            plain=await _create_container(database, "plain", None),
        )


@asynccontextmanager
async def _temporary_database(client: CosmosClient, name: str) -> AsyncIterator[DatabaseProxy]:
    """Create a database and remove it afterwards; never remove one that existed before."""
    try:
        database = await client.create_database(name)
    except AzureError as error:
        raise WorkspaceError(f"Cannot create database {name}: {_reason(error)}") from error
    try:
        yield database
    finally:
        await asyncio.shield(_remove(client, name))


async def _remove(client: CosmosClient, name: str) -> None:
    try:
        await client.delete_database(name)
    except AzureError as error:
        raise WorkspaceError(
            f"Cannot remove database {name}: {_reason(error)}. Remove it from the account."
        ) from error


async def _create_container(
    database: DatabaseProxy, name: str, default_ttl: int | None
) -> ContainerProxy:
    """Create a container with the partition key and indexing policy of the app's events."""
    settings = Settings()
    definition = next(
        definition
        for definition in container_definitions(settings)
        if definition.name == settings.events_container
    )
    try:
        return await database.create_container(
            name,
            PartitionKey(definition.partition_key),
            indexing_policy=definition.indexing_policy,
            default_ttl=default_ttl,
        )
    except AzureError as error:
        raise WorkspaceError(f"Cannot create container {name}: {_reason(error)}") from error


def _ranges(text: str) -> list[dict[str, Any]]:
    return list(json.loads(text)["PartitionKeyRanges"]) if text else []


def _reason(error: AzureError) -> str:
    """Return the first line of the SDK's message, which has neither key nor payload."""
    return str(error).splitlines()[0]
