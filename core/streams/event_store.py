"""The event store: appends events to streams, and reads them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.cosmos.requests import QUERY_TIMEOUT_SECONDS, REQUEST_TIMEOUT_SECONDS, collect
from core.errors import ConflictError, IdempotencyKeyReusedError, NotFoundError
from core.streams.append_queue import AppendQueue

if TYPE_CHECKING:
    from azure.cosmos.aio import ContainerProxy

    from core.cosmos.partitions import PartitionMap
    from core.cosmos.requests import Requests
    from core.model.documents import Document
    from core.throttling.deadline import Deadline

_COMPARED = ("id", "type", "version", "data")


class EventStore:
    """Stores events by stream.

    Args:
        container: The events container.
        partitions: The physical partitions of streams.
        requests: What sends the requests.
    """

    def __init__(
        self, *, container: ContainerProxy, partitions: PartitionMap, requests: Requests
    ) -> None:
        self._container = container
        self._partitions = partitions
        self._requests = requests
        self._queue = AppendQueue(self._create)

    async def append(self, stream_id: str, documents: list[Document], deadline: Deadline) -> None:
        """Append 1 to 100 events to a stream, all or none.

        Appending the same events again succeeds and changes nothing, so that neither a lost reply
        nor a repeated request duplicates them.

        Raises:
            IdempotencyKeyReusedError: If other events with these ids exist.
            DeadlineExceededError: If the deadline is reached. The events may or may not be stored.
            CosmosError: If Cosmos DB returns an error that is not retryable.
        """
        try:
            await self._queue.append(stream_id, documents, deadline)
        except ConflictError:
            await self._check_same(stream_id, documents, deadline)

    async def read(self, stream_id: str, deadline: Deadline) -> list[Document]:
        """Return all events of a stream in the order in which they are stored.

        Raises:
            DeadlineExceededError: If the deadline is reached.
            CosmosError: If Cosmos DB returns an error that is not retryable.
        """
        partition = await self._partitions.locate(stream_id, deadline)
        return await self._requests.send(
            f"reading stream {stream_id}",
            lambda hook: collect(
                self._container.query_items(
                    "SELECT * FROM c", partition_key=stream_id, response_hook=hook
                )
            ),
            partition=partition.start,
            deadline=deadline,
            timeout_seconds=QUERY_TIMEOUT_SECONDS,
        )

    async def get(self, stream_id: str, event_id: str, deadline: Deadline) -> Document | None:
        """Return an event as it is stored, None if it does not exist.

        Raises:
            DeadlineExceededError: If the deadline is reached.
            CosmosError: If Cosmos DB returns an error that is not retryable.
        """
        partition = await self._partitions.locate(stream_id, deadline)
        try:
            event = await self._requests.send(
                f"reading event {event_id}",
                lambda hook: self._container.read_item(event_id, stream_id, response_hook=hook),
                partition=partition.start,
                deadline=deadline,
                not_found=NotFoundError,
                timeout_seconds=REQUEST_TIMEOUT_SECONDS,
            )
        except NotFoundError:
            return None
        return dict(event)

    async def _create(self, stream_id: str, documents: list[Document], deadline: Deadline) -> None:
        partition = await self._partitions.locate(stream_id, deadline)
        await self._requests.send(
            f"appending {len(documents)} events to stream {stream_id}",
            lambda hook: self._container.execute_item_batch(
                [("create", (document,)) for document in documents], stream_id, response_hook=hook
            ),
            partition=partition.start,
            deadline=deadline,
        )

    async def _check_same(
        self, stream_id: str, documents: list[Document], deadline: Deadline
    ) -> None:
        for document in documents:
            stored = await self.get(stream_id, document["id"], deadline)
            if stored is None or any(stored.get(name) != document[name] for name in _COMPARED):
                raise IdempotencyKeyReusedError(
                    "This Idempotency-Key was used before, with a different request."
                )
