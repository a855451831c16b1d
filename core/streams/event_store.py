"""The event store: appending to a stream, and reading one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.cosmos.requests import fetch_all, request_charge, run_request
from core.cosmos.retrying import Passage, RequestStats, Retrier
from core.errors import ConflictError, IdempotencyKeyReusedError, NotFoundError
from core.streams.append_queue import AppendQueue

if TYPE_CHECKING:
    from azure.cosmos.aio import ContainerProxy

    from core.cosmos.partitions import PartitionMap
    from core.model.documents import Document
    from core.throttling.deadline import Deadline

_SAME = ("id", "type", "version", "data")


class EventStore:
    """Events by stream.

    Args:
        container: The events container.
        partitions: Where streams lie.
        retrier: Tries again.
    """

    def __init__(
        self, *, container: ContainerProxy, partitions: PartitionMap, retrier: Retrier
    ) -> None:
        self._container = container
        self._partitions = partitions
        self._retrier = retrier
        self._coalescer = AppendQueue(self._create)

    async def append(self, stream_id: str, documents: list[Document], deadline: Deadline) -> None:
        """Append 1 to 100 events to a stream, all or none.

        Appending the same events again changes nothing and succeeds, so that neither a lost
        reply nor a client's repetition doubles them.

        Raises:
            IdempotencyKeyReusedError: Events with these ids are there, but other ones.
            DeadlineExceededError: Time ran out; the events may or may not be there.
            CosmosError: Retrying cannot help.
        """
        try:
            await self._coalescer.append(stream_id, documents, deadline)
        except ConflictError:
            await self._check_same(stream_id, documents, deadline)

    async def read(self, stream_id: str, deadline: Deadline) -> list[Document]:
        """All events of a stream, as they were stored; empty where there is none.

        Raises:
            DeadlineExceededError: Time ran out.
            CosmosError: Retrying cannot help.
        """

        async def query(passage: Passage) -> list[Document]:
            items = self._container.query_items(
                "SELECT * FROM c",
                partition_key=stream_id,
                response_hook=lambda headers, _: passage.charge(request_charge(headers)),
            )
            return await fetch_all(f"reading stream {stream_id}", items)

        partition = await self._partitions.locate(stream_id, deadline)
        return await self._retrier.run(
            query, partition=partition.start, deadline=deadline, effort=RequestStats()
        )

    async def get(self, stream_id: str, event_id: str, deadline: Deadline) -> Document | None:
        """One event as it was stored; None where there is none.

        Raises:
            DeadlineExceededError: Time ran out.
            CosmosError: Retrying cannot help.
        """

        async def read(passage: Passage) -> Document:
            item = self._container.read_item(
                event_id,
                stream_id,
                response_hook=lambda headers, _: passage.charge(request_charge(headers)),
            )
            return dict(await run_request(f"reading event {event_id}", item, absent=NotFoundError))

        partition = await self._partitions.locate(stream_id, deadline)
        try:
            return await self._retrier.run(
                read, partition=partition.start, deadline=deadline, effort=RequestStats()
            )
        except NotFoundError:
            return None

    async def _create(self, stream_id: str, documents: list[Document], deadline: Deadline) -> None:
        partition = await self._partitions.locate(stream_id, deadline)

        async def create(passage: Passage) -> None:
            await run_request(
                f"appending {len(documents)} events to stream {stream_id}",
                self._container.execute_item_batch(
                    [("create", (document,)) for document in documents],
                    stream_id,
                    response_hook=lambda headers, _: passage.charge(request_charge(headers)),
                ),
            )

        await self._retrier.run(
            create, partition=partition.start, deadline=deadline, effort=RequestStats()
        )

    async def _check_same(
        self, stream_id: str, documents: list[Document], deadline: Deadline
    ) -> None:
        for document in documents:
            stored = await self.get(stream_id, document["id"], deadline)
            if stored is None or any(stored.get(name) != document[name] for name in _SAME):
                raise IdempotencyKeyReusedError(
                    "This Idempotency-Key was used before, with a different request."
                )
