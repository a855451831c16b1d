"""The event store: creates the documents of streams, and finds out what is in their way."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from core.cosmos.batches import create_all
from core.cosmos.requests import REQUEST_TIMEOUT_SECONDS, collect
from core.ids import is_own_id, own_event_id
from core.streams.appends import Head, head_at, valid_time

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from core.model.documents import Document
    from core.streams.reader import StreamReader
    from core.throttling.deadline import Deadline

_NEWEST = "SELECT TOP 1 c.id, c.time FROM c WHERE c.id >= @from AND c.id < 'n:' ORDER BY c.id DESC"
"""Own events have the highest ids below `n:`, so that this is one step in the index on ids."""

_LATEST_STORED = "SELECT TOP 1 c.time FROM c ORDER BY c._ts DESC"

DELAYS = (0.0, *(0.01 * 2**attempt for attempt in range(8)))
"""The seconds before each read of a document that a lagging replica may not show: 2.6 in all."""


@dataclass(frozen=True, kw_only=True)
class EventStore:
    """Creates documents in streams and reads what an append depends on.

    Every method raises DeadlineExceededError if the deadline is reached, and CosmosError if Cosmos
    DB returns an error that is not retryable.

    Attributes:
        reader: The reader of streams.
        sleep: The function that waits.
    """

    reader: StreamReader
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep

    async def create(
        self, stream_id: str, documents: list[Document], deadline: Deadline
    ) -> int | None:
        """Create documents, all or none.

        Without a response the same documents are sent again: then they may have been created
        already, which shows as a conflict with themselves.

        Returns:
            The place of the document whose id is in use, None if all were created.
        """
        partition = await self.reader.partitions.locate(stream_id, deadline)
        return await self.reader.requests.send(
            f"appending {len(documents)} documents to stream {stream_id}",
            lambda hook: create_all(self.reader.container, stream_id, documents, hook),
            partition=partition.start,
            deadline=deadline,
        )

    async def head(self, stream_id: str, deadline: Deadline, *, start: str = "") -> Head:
        """Return the newest own event, which may be older than it is where a replica lags.

        A stream without own events has the time of what was stored last, if it has other events.

        Args:
            stream_id: The stream.
            deadline: The deadline.
            start: The lowest id of interest.

        Raises:
            ReservedIdError: If it is of another program.
        """
        newest = await self._first(stream_id, _NEWEST, deadline, start)
        if newest is None:
            return Head(0, "")
        if is_own_id(newest["id"]):
            return head_at(newest)
        latest = await self._first(stream_id, _LATEST_STORED, deadline)
        return Head(0, valid_time(latest))

    async def head_at(self, stream_id: str, position: int, deadline: Deadline) -> Head | None:
        """Return the head that an own event at a position was, None if there is no such event."""
        if position == 0:
            head = await self.head(stream_id, deadline)
            return head if head.position == 0 else Head(0, "")
        document = await self.see(stream_id, own_event_id(position), deadline)
        return None if document is None else head_at(document)

    async def see(self, stream_id: str, document_id: str, deadline: Deadline) -> Document | None:
        """Return a document, None if no replica shows it for 2.6 seconds.

        None means that it is not known whether it exists.
        """
        for delay in DELAYS:
            if delay:
                deadline.check(f"reading {document_id} in stream {stream_id}", delay)
                await self.sleep(delay)
            document = await self.reader.get(stream_id, document_id, deadline)
            if document is not None:
                return document
        return None

    async def _first(
        self, stream_id: str, query: str, deadline: Deadline, start: str = ""
    ) -> Mapping[str, Any] | None:
        """Return the result of a query that has one at most."""
        partition = await self.reader.partitions.locate(stream_id, deadline)
        results = await self.reader.requests.send(
            f"reading the head of stream {stream_id}",
            lambda hook: collect(
                self.reader.container.query_items(
                    query,
                    parameters=[{"name": "@from", "value": start}],
                    partition_key=stream_id,
                    response_hook=hook,
                )
            ),
            partition=partition.start,
            deadline=deadline,
            timeout_seconds=REQUEST_TIMEOUT_SECONDS,
        )
        return results[0] if results else None
