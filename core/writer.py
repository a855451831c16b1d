"""Makes derived events durable: many streams at once, each in order, at the pace Cosmos takes."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from core.batching import Batch, plan
from core.bulk import send_atomic
from core.errors import RefusedByCosmosError, TransientError
from core.lanes import Lane
from core.retrying import Retrier, finish_all

if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Iterable

    from azure.cosmos.aio import ContainerProxy

    from core.delivery import Delivery
    from core.outputs import Write
    from core.partitions import Partition, PartitionMap

logger = logging.getLogger(__name__)

_GONE = 410
_PAUSE = 0.05
"""Seconds before streams are looked for again whose partition is gone."""


@dataclass(kw_only=True)
class Bulk:
    """Whether requests of the bulk form are sent; off for good once they are refused."""

    on: bool = True


@dataclass(frozen=True, kw_only=True)
class Writer:
    """Upserts documents into the events container.

    Attributes:
        container: The events container.
        partitions: Where streams lie.
        retrier: Tries again.
        slots: The limit on requests in flight, shared by all invocations of the process; one that
            waits for its partition holds none.
        bulk: Whether the writes of many streams go together.
    """

    container: ContainerProxy
    partitions: PartitionMap
    retrier: Retrier
    slots: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(32))
    bulk: Bulk = field(default_factory=Bulk)

    async def write(self, writes: Iterable[Write], delivery: Delivery) -> None:
        """Return when every write is durable, or was refused for good; each stream in its order.

        What was acknowledged is told at once, also when something else fails later.

        Raises:
            BudgetSpentError: Time ran out; what was not acknowledged must be written again.
            CosmosError: Retrying cannot help.
        """
        planned = plan(writes, bulk=self.bulk.on)
        await finish_all(
            *(self._in_order(batches, delivery) for batches in planned.batched),
            self._together(planned.loose, delivery),
        )

    async def _together(self, streams: list[deque[Write]], delivery: Delivery) -> None:
        """Loose streams, those of each physical partition together."""
        while streams and self.bulk.on:
            lanes = await self._lanes(streams, delivery)
            try:
                await finish_all(*(lane.write(found) for lane, found in lanes))
            except RefusedByCosmosError as error:
                self._do_without(str(error))
            streams = [stream for stream in streams if stream]
            if any(lane.moved for lane, _ in lanes):
                await self.retrier.sleep(_PAUSE)
                await self.partitions.renew(delivery.budget)
        rest = plan((write for stream in streams for write in stream), bulk=False)
        await finish_all(*(self._in_order(batches, delivery) for batches in rest.batched))

    async def _lanes(
        self, streams: list[deque[Write]], delivery: Delivery
    ) -> list[tuple[Lane, list[deque[Write]]]]:
        found: dict[Partition, list[deque[Write]]] = {}
        for stream in streams:
            partition = await self.partitions.locate(stream[0].stream_id, delivery.budget)
            found.setdefault(partition, []).append(stream)
        if any(partition.id is None for partition in found):
            self._do_without("The service does not tell the ids of its partitions.")
            return []
        return [
            (Lane(self.container, partition, self.retrier, self.slots, delivery), each)
            for partition, each in found.items()
        ]

    def _do_without(self, why: str) -> None:
        """Correctness does not depend on it."""
        self.bulk.on = False
        logger.warning("bulk.refused, writing stream by stream from now on: %s", why)

    async def _in_order(self, batches: list[Batch], delivery: Delivery) -> None:
        """Transactional batches of one stream."""
        for batch in batches:
            await self._deliver(batch, delivery)

    async def _deliver(self, batch: Batch, delivery: Delivery) -> None:
        try:
            await self._until_taken(batch, delivery)
        except RefusedByCosmosError as error:
            if len(batch.writes) == 1:
                delivery.blame(batch.writes[0], error)
                return
            for write in batch.writes:
                await self._deliver(Batch(stream_id=batch.stream_id, writes=(write,)), delivery)
        else:
            delivery.on_durable(batch.writes)

    async def _until_taken(self, batch: Batch, delivery: Delivery) -> None:
        partition = await self.partitions.locate(batch.stream_id, delivery.budget)
        await self.retrier.run(
            lambda: self._send(batch, delivery),
            partition=partition.low,
            budget=delivery.budget,
            effort=delivery.effort,
        )

    async def _send(self, batch: Batch, delivery: Delivery) -> None:
        try:
            async with self.slots:
                await send_atomic(self.container, batch.stream_id, batch.writes, delivery.charge)
        except TransientError as error:
            if error.status == _GONE:
                await self.partitions.refresh()
            raise
