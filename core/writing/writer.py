"""Makes derived events durable: many streams at once, each in order, at the pace Cosmos takes."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING

from core.cosmos.batches import send_transactional
from core.cosmos.gates import Ceilings
from core.cosmos.retrying import Load, Retrier, gather_all, held
from core.errors import RejectedByCosmosError, TransientError
from core.writing.bulk_writer import PartitionBulkWriter
from core.writing.plan import count_fitting, plan

if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Iterable

    from azure.cosmos.aio import ContainerProxy

    from core.cosmos.gates import RateLimiter
    from core.cosmos.partitions import Partition, PartitionMap
    from core.cosmos.retrying import Passage
    from core.throttling.deadline import Deadline
    from core.writing.delivery import Delivery
    from core.writing.writes import Write

    Stream = deque[Write]

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
        ceilings: Of projections.
    """

    container: ContainerProxy
    partitions: PartitionMap
    retrier: Retrier
    slots: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(32))
    bulk: Bulk = field(default_factory=Bulk)
    ceilings: Ceilings = field(default_factory=lambda: Ceilings({}))

    async def write(self, writes: Iterable[Write], delivery: Delivery) -> None:
        """Return when every write is durable, or was refused for good; each stream in its order.

        What was acknowledged is told at once, also when something else fails later.

        Raises:
            DeadlineExceededError: Time ran out; what was not acknowledged must be written again.
            CosmosError: Retrying cannot help.
        """
        planned = plan(writes, bulk=self.bulk.on)
        await gather_all(
            *(self._in_order(stream, delivery) for stream in planned.batched),
            self._together(planned.loose, delivery),
        )

    async def _together(self, streams: list[Stream], delivery: Delivery) -> None:
        """Loose streams, those of each physical partition together."""
        while streams and self.bulk.on:
            lanes = await self._lanes(streams, delivery)
            try:
                await gather_all(*(lane.write(found, ceilings) for lane, found, ceilings in lanes))
            except RejectedByCosmosError as error:
                self._do_without(str(error))
            streams = [stream for stream in streams if stream]
            if any(lane.moved for lane, *_ in lanes):
                await self.retrier.sleep(_PAUSE)
                await self.partitions.renew(delivery.deadline)
        rest = plan((write for stream in streams for write in stream), bulk=False)
        await gather_all(*(self._in_order(stream, delivery) for stream in rest.batched))

    async def _lanes(
        self, streams: list[Stream], delivery: Delivery
    ) -> list[tuple[PartitionBulkWriter, list[Stream], tuple[RateLimiter, ...]]]:
        found: dict[tuple[Partition, tuple[RateLimiter, ...]], list[Stream]] = {}
        for stream in streams:
            name = stream[0].stream_id
            partition = self.partitions.find(name) or await self.partitions.locate(
                name, delivery.deadline
            )
            found.setdefault(
                (partition, self.ceilings.of(each.source.name for each in stream)), []
            ).append(stream)
        if any(partition.id is None for partition, _ in found):
            self._do_without("The service does not tell the ids of its partitions.")
            return []
        return [
            (
                PartitionBulkWriter(self.container, partition, self.retrier, self.slots, delivery),
                each,
                ceilings,
            )
            for (partition, ceilings), each in found.items()
        ]

    def _do_without(self, why: str) -> None:
        """Correctness does not depend on it."""
        self.bulk.on = False
        logger.warning("bulk.refused, writing stream by stream from now on: %s", why)

    async def _in_order(self, stream: Stream, delivery: Delivery) -> None:
        """Transactional batches of one stream; of a refused one its writes one by one."""
        singly = 0
        load = Load(
            waiting=lambda: 1 if singly else len(stream),
            ceilings=self.ceilings.of(each.source.name for each in stream),
        )
        while stream:
            sent: list[Write] = []
            try:
                await self._send_next(stream, sent, delivery, load)
            except RejectedByCosmosError as error:
                if len(sent) == 1:
                    if not delivery.blames(sent[0], error):
                        raise
                    stream.popleft()
                else:
                    singly = len(sent) + 1
            else:
                for _ in sent:
                    stream.popleft()
                delivery.on_durable(sent)
            singly = max(singly - 1, 0)

    async def _send_next(
        self, stream: Stream, sent: list[Write], delivery: Delivery, load: Load
    ) -> None:
        """Return when the first writes of a stream are durable; `sent` has them then."""
        partition = await self.partitions.locate(stream[0].stream_id, delivery.deadline)
        await self.retrier.run(
            lambda passage: self._attempt(stream, sent, passage, delivery.deadline),
            partition=partition.start,
            deadline=delivery.deadline,
            effort=delivery.effort,
            load=load,
        )

    async def _attempt(
        self, stream: Stream, sent: list[Write], passage: Passage, deadline: Deadline
    ) -> None:
        sent[:] = islice(stream, count_fitting(stream, passage.operations))
        try:
            async with held(self.slots, deadline):
                await send_transactional(self.container, sent[0].stream_id, sent, passage.charge)
        except TransientError as error:
            if error.status == _GONE:
                await self.partitions.refresh()
            raise
