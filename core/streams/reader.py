"""Reads streams, and single events."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from core.cosmos.batches import read_current
from core.cosmos.requests import REQUEST_TIMEOUT_SECONDS, read_page
from core.cosmos.sessions import session_lsn
from core.errors import NotFoundError, PositionNotReachedError
from core.ids import own_event_id
from core.model.documents import is_event

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from azure.cosmos import CosmosList
    from azure.cosmos.aio import ContainerProxy

    from core.cosmos.partitions import PartitionMap
    from core.cosmos.requests import Requests
    from core.model.documents import Document
    from core.throttling.deadline import Deadline

_POLL_SECONDS = 0.1
"""The pause before a position is looked for again."""

_PAGE_SIZE = 500
"""The documents of a page, which take the SDK some 5 ms to parse."""


@dataclass(frozen=True, kw_only=True)
class StreamReader:
    """Reads the documents of streams.

    Attributes:
        container: The events container.
        partitions: The physical partitions of streams.
        requests: What sends the requests.
        sleep: The function that waits.
    """

    container: ContainerProxy
    partitions: PartitionMap
    requests: Requests
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep

    async def pages(self, stream_id: str, deadline: Deadline) -> AsyncIterator[list[Document]]:
        """Yield the documents of a stream page by page, in the order in which they are stored.

        A page that is throttled is read again alone.

        Raises:
            DeadlineExceededError: If the deadline is reached.
            CosmosError: If Cosmos DB returns an error that is not retryable.
        """
        partition = await self.partitions.locate(stream_id, deadline)
        continuation: str | None = None
        query = partial(
            self.container.query_items,
            "SELECT * FROM c",
            partition_key=stream_id,
            max_item_count=_PAGE_SIZE,
        )
        while True:
            page, continuation = await self.requests.send(
                f"reading stream {stream_id}",
                partial(read_page, query, continuation),
                partition=partition.start,
                deadline=deadline,
                timeout_seconds=REQUEST_TIMEOUT_SECONDS,
            )
            yield page
            if continuation is None:
                return

    async def read(self, stream_id: str, deadline: Deadline) -> list[Document]:
        """Return all documents of a stream, as `pages` does."""
        return [document async for page in self.pages(stream_id, deadline) for document in page]

    async def get(self, stream_id: str, event_id: str, deadline: Deadline) -> Document | None:
        """Return an event as it is stored, None if it does not exist.

        Raises:
            DeadlineExceededError: If the deadline is reached.
            CosmosError: If Cosmos DB returns an error that is not retryable.
        """
        results = await self._read_event(stream_id, event_id, deadline)
        return None if results is None else dict(results[0]["resourceBody"])

    async def lsn_with(self, stream_id: str, event_id: str, deadline: Deadline) -> int | None:
        """Return the LSN of a state that has an event, None if there is none or only its stub.

        Raises:
            DeadlineExceededError: If the deadline is reached.
            CosmosError: If Cosmos DB returns an error that is not retryable.
        """
        results = await self._read_event(stream_id, event_id, deadline)
        if results is None or not is_event(results[0]["resourceBody"]):
            return None
        return session_lsn(results.get_response_headers())

    async def await_position(self, stream_id: str, position: int, deadline: Deadline) -> None:
        """Return once a stream has an own event at a position, which later reads see then.

        Raises:
            PositionNotReachedError: If the deadline is reached before.
            DeadlineExceededError: If Cosmos DB does not respond in time.
            CosmosError: If Cosmos DB returns an error that is not retryable.
        """
        while await self.get(stream_id, own_event_id(position), deadline) is None:
            if deadline.remaining() <= _POLL_SECONDS:
                raise PositionNotReachedError(
                    f"The stream has not reached position {position} yet. Retry later."
                )
            await self.sleep(_POLL_SECONDS)

    async def _read_event(
        self, stream_id: str, event_id: str, deadline: Deadline
    ) -> CosmosList | None:
        partition = await self.partitions.locate(stream_id, deadline)
        try:
            return await self.requests.send(
                f"reading event {event_id}",
                lambda hook: read_current(self.container, event_id, stream_id, hook),
                partition=partition.start,
                deadline=deadline,
                not_found=NotFoundError,
                timeout_seconds=REQUEST_TIMEOUT_SECONDS,
            )
        except NotFoundError:
            return None
