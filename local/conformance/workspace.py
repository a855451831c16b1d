"""A database that the checks have for themselves: made for a run, and removed after it."""

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
from local.conformance.answers import Answers, answer_to, creates

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping

    from azure.cosmos.aio import ContainerProxy, DatabaseProxy

    from local.conformance.answers import Answer

KILOBYTE = 1024

_OVERHEAD = 480
"""Bytes of a document without its text, and of the system properties."""


@dataclass(frozen=True, kw_only=True)
class Target:
    """The account that is checked.

    Attributes:
        endpoint: The account's URL.
        key: The account's key.
        credentials: A key or a token credential for each role that can be checked, by its name.
    """

    endpoint: str
    key: str
    credentials: Mapping[str, Any] = field(default_factory=dict)


class WorkspaceError(Exception):
    """The database of the checks cannot be made or removed; says what to do."""


@dataclass(frozen=True, kw_only=True)
class Workspace:
    """What a check works with.

    Attributes:
        target: The account.
        client: The SDK's client, which keeps session tokens.
        stranger: Another client, which knows nothing of the session of the first.
        database: The database of this run.
        events: A container as the app's events have, with TTL on (-1).
        plain: The same without TTL.
    """

    target: Target
    client: CosmosClient
    stranger: CosmosClient
    database: DatabaseProxy
    events: ContainerProxy
    plain: ContainerProxy
    _numbers: Iterator[int] = field(default_factory=count)

    def stream(self) -> str:
        """Return a stream that nothing was written to."""
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
        """Return an event of nearly the given number of bytes, system properties included."""
        return self.document(stream, data={"text": "x" * (size - _OVERHEAD)})

    async def append(self, stream: str, *documents: dict[str, Any]) -> Answer:
        """Return the answer to a transactional batch that creates the documents."""
        return await answer_to(
            lambda hook: self.events.execute_item_batch(
                creates(documents), stream, raw_response_hook=hook
            )
        )

    async def read_in_batch(
        self, stream: str, item_id: str, *, as_stranger: bool = False
    ) -> Answer:
        """Return the answer to a batch of one read."""
        container = self.as_stranger() if as_stranger else self.events
        return await answer_to(
            lambda hook: container.execute_item_batch(
                [("read", (item_id,))], stream, raw_response_hook=hook
            )
        )

    def as_stranger(self) -> ContainerProxy:
        """Return the events container for a client that has no session."""
        return self.stranger.get_database_client(self.database.id).get_container_client("events")

    async def range_ids(self) -> list[tuple[str, str, str]]:
        """Return minimum, maximum and id of each physical partition, in the order of keys."""
        answers = Answers()
        listed = self.events.read_feed_ranges(force_refresh=True, raw_response_hook=answers)
        _ = [span async for span in listed]
        return sorted(
            {
                (span["minInclusive"], span["maxExclusive"], span["id"])
                for answer in answers.all
                for span in _ranges(answer.text)
            }
        )

    async def range_id(self, stream: str) -> str:
        """Return the id of the physical partition of a stream."""
        span = await self.events.feed_range_from_partition_key(stream)
        key = str(span["Range"]["min"])
        return next(found for low, high, found in await self.range_ids() if low <= key < high)


def new_name() -> str:
    """Return a name that no database has."""
    return f"conformance-{uuid4().hex[:12]}"


@asynccontextmanager
async def opened_workspace(target: Target) -> AsyncIterator[Workspace]:
    """Make a database with containers; remove it whatever happens.

    Raises:
        WorkspaceError: If it cannot be made, or cannot be removed.
    """
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(CosmosClient(target.endpoint, target.key))
        stranger = await stack.enter_async_context(CosmosClient(target.endpoint, target.key))
        database = await stack.enter_async_context(_temporary_database(client, new_name()))
        yield Workspace(
            target=target,
            client=client,
            stranger=stranger,
            database=database,
            events=await _create_container(database, "events", -1),
            plain=await _create_container(database, "plain", None),
        )


@asynccontextmanager
async def _temporary_database(client: CosmosClient, name: str) -> AsyncIterator[DatabaseProxy]:
    """Create a database and remove it in the end; one that exists is left alone."""
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
            f"Database {name} is left in the account, remove it: {_reason(error)}"
        ) from error


async def _create_container(
    database: DatabaseProxy, name: str, default_ttl: int | None
) -> ContainerProxy:
    """Create a container with the partition key and the indexes of the app's events."""
    settings = Settings()
    definition = next(
        each for each in container_definitions(settings) if each.name == settings.events_container
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
    """Return the first line of what the SDK says, which has neither key nor payload."""
    return str(error).splitlines()[0]
