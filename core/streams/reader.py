"""Reads streams, and single events."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.cosmos.batches import read_current
from core.cosmos.requests import QUERY_TIMEOUT_SECONDS, REQUEST_TIMEOUT_SECONDS, collect
from core.cosmos.sessions import session_lsn
from core.errors import NotFoundError

if TYPE_CHECKING:
    from azure.cosmos import CosmosList
    from azure.cosmos.aio import ContainerProxy

    from core.cosmos.partitions import PartitionMap
    from core.cosmos.requests import Requests
    from core.model.documents import Document
    from core.throttling.deadline import Deadline


@dataclass(frozen=True, kw_only=True)
class StreamReader:
    """Reads the documents of streams.

    Attributes:
        container: The events container.
        partitions: The physical partitions of streams.
        requests: What sends the requests.
    """

    container: ContainerProxy
    partitions: PartitionMap
    requests: Requests

    async def read(self, stream_id: str, deadline: Deadline) -> list[Document]:
        """Return all events of a stream in the order in which they are stored.

        Raises:
            DeadlineExceededError: If the deadline is reached.
            CosmosError: If Cosmos DB returns an error that is not retryable.
        """
        partition = await self.partitions.locate(stream_id, deadline)
        return await self.requests.send(
            f"reading stream {stream_id}",
            lambda hook: collect(
                self.container.query_items(
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
        results = await self._read_event(stream_id, event_id, deadline)
        return None if results is None else dict(results[0]["resourceBody"])

    async def lsn_with(self, stream_id: str, event_id: str, deadline: Deadline) -> int | None:
        """Return the LSN of a state that has an event, None if the event does not exist.

        Raises:
            DeadlineExceededError: If the deadline is reached.
            CosmosError: If Cosmos DB returns an error that is not retryable.
        """
        results = await self._read_event(stream_id, event_id, deadline)
        return None if results is None else session_lsn(results.get_response_headers())

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
