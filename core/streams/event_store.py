"""The event store: appends events to streams."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.errors import ConflictError, IdempotencyKeyReusedError
from core.streams.append_queue import AppendQueue

if TYPE_CHECKING:
    from azure.cosmos.aio import ContainerProxy

    from core.cosmos.partitions import PartitionMap
    from core.cosmos.requests import Requests
    from core.model.documents import Document
    from core.streams.reader import StreamReader
    from core.throttling.deadline import Deadline

_COMPARED = ("id", "type", "version", "data")


class EventStore:
    """Stores events by stream.

    Args:
        container: The events container.
        partitions: The physical partitions of streams.
        requests: What sends the requests.
        reader: The reader of streams.
    """

    def __init__(
        self,
        *,
        container: ContainerProxy,
        partitions: PartitionMap,
        requests: Requests,
        reader: StreamReader,
    ) -> None:
        self._container = container
        self._partitions = partitions
        self._requests = requests
        self._reader = reader
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
            stored = await self._reader.get(stream_id, document["id"], deadline)
            if stored is None or any(stored.get(name) != document[name] for name in _COMPARED):
                raise IdempotencyKeyReusedError(
                    "This Idempotency-Key was used before, with a different request."
                )
