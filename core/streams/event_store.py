"""The event store: appending to a stream, and reading one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.cosmos.requests import answered, charge_of, listed
from core.cosmos.retrying import Effort, Passage, Retrier
from core.errors import ConflictError, KeyReusedError, NotFoundError
from core.streams.append_queue import Coalescer

if TYPE_CHECKING:
    from azure.cosmos.aio import ContainerProxy

    from core.cosmos.partitions import PartitionMap
    from core.model.documents import Document
    from core.throttling.deadline import Budget

_SAME = ("id", "type", "version", "data")


class Streams:
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
        self._coalescer = Coalescer(self._create)

    async def append(self, stream_id: str, documents: list[Document], budget: Budget) -> None:
        """Append 1 to 100 events to a stream, all or none.

        Appending the same events again changes nothing and succeeds, so that neither a lost
        reply nor a client's repetition doubles them.

        Raises:
            KeyReusedError: Events with these ids are there, but other ones.
            BudgetSpentError: Time ran out; the events may or may not be there.
            CosmosError: Retrying cannot help.
        """
        try:
            await self._coalescer.append(stream_id, documents, budget)
        except ConflictError:
            await self._check_same(stream_id, documents, budget)

    async def read(self, stream_id: str, budget: Budget) -> list[Document]:
        """All events of a stream, as they were stored; empty where there is none.

        Raises:
            BudgetSpentError: Time ran out.
            CosmosError: Retrying cannot help.
        """

        async def query(passage: Passage) -> list[Document]:
            items = self._container.query_items(
                "SELECT * FROM c",
                partition_key=stream_id,
                response_hook=lambda headers, _: passage.charge(charge_of(headers)),
            )
            return await listed(f"reading stream {stream_id}", items)

        partition = await self._partitions.locate(stream_id, budget)
        return await self._retrier.run(
            query, partition=partition.low, budget=budget, effort=Effort()
        )

    async def read_one(self, stream_id: str, event_id: str, budget: Budget) -> Document | None:
        """One event as it was stored; None where there is none.

        Raises:
            BudgetSpentError: Time ran out.
            CosmosError: Retrying cannot help.
        """

        async def read(passage: Passage) -> Document:
            item = self._container.read_item(
                event_id,
                stream_id,
                response_hook=lambda headers, _: passage.charge(charge_of(headers)),
            )
            return dict(await answered(f"reading event {event_id}", item, absent=NotFoundError))

        partition = await self._partitions.locate(stream_id, budget)
        try:
            return await self._retrier.run(
                read, partition=partition.low, budget=budget, effort=Effort()
            )
        except NotFoundError:
            return None

    async def _create(self, stream_id: str, documents: list[Document], budget: Budget) -> None:
        partition = await self._partitions.locate(stream_id, budget)

        async def create(passage: Passage) -> None:
            await answered(
                f"appending {len(documents)} events to stream {stream_id}",
                self._container.execute_item_batch(
                    [("create", (document,)) for document in documents],
                    stream_id,
                    response_hook=lambda headers, _: passage.charge(charge_of(headers)),
                ),
            )

        await self._retrier.run(create, partition=partition.low, budget=budget, effort=Effort())

    async def _check_same(self, stream_id: str, documents: list[Document], budget: Budget) -> None:
        for document in documents:
            stored = await self.read_one(stream_id, document["id"], budget)
            if stored is None or any(stored.get(name) != document[name] for name in _SAME):
                raise KeyReusedError(
                    "This Idempotency-Key was used before, with a different request."
                )
