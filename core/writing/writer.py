"""Makes derived events durable: many streams at once, each in order, at the pace Cosmos takes."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING

from core.cosmos.batches import GONE, send_transactional
from core.errors import RejectedByCosmosError, TransientError
from core.writing.bulk_writer import PartitionBulkWriter
from core.writing.plan import count_fitting, plan
from core.writing.results import gather_all

if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Iterable

    from azure.cosmos.aio import ContainerProxy

    from core.cosmos.partitions import Partition, PartitionMap
    from core.throttling.deadline import Deadline
    from core.throttling.rate_limiters import RateLimiter, RateLimiters, RequestAttempt
    from core.throttling.retrier import Retrier
    from core.writing.delivery import Delivery
    from core.writing.writes import Write

    Stream = deque[Write]

logger = logging.getLogger(__name__)

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
        limiters: The rate limiters of the process.
        retrier: Tries again.
        slots: The limit on requests in flight, shared by all invocations of the process; one that
            waits for its partition holds none.
        bulk: Whether the writes of many streams go together.
    """

    container: ContainerProxy
    partitions: PartitionMap
    limiters: RateLimiters
    retrier: Retrier
    slots: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(32))
    bulk: Bulk = field(default_factory=Bulk)

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
                await self.partitions.refresh(delivery.deadline)
        rest = plan((write for stream in streams for write in stream), bulk=False)
        await gather_all(*(self._in_order(stream, delivery) for stream in rest.batched))

    async def _lanes(
        self, streams: list[Stream], delivery: Delivery
    ) -> list[tuple[PartitionBulkWriter, list[Stream], tuple[RateLimiter, ...]]]:
        found: dict[tuple[Partition, tuple[RateLimiter, ...]], list[Stream]] = {}
        for stream in streams:
            name = stream[0].stream_id
            partition = await self.partitions.locate(name, delivery.deadline)
            found.setdefault(
                (partition, self.limiters.for_projections(each.source.name for each in stream)), []
            ).append(stream)
        if any(partition.id is None for partition, _ in found):
            self._do_without("The service does not tell the ids of its partitions.")
            return []
        return [
            (
                PartitionBulkWriter(
                    container=self.container,
                    partition=partition,
                    limiters=self.limiters,
                    retrier=self.retrier,
                    slots=self.slots,
                    delivery=delivery,
                ),
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
        ceilings = self.limiters.for_projections(each.source.name for each in stream)
        while stream:
            sent: list[Write] = []
            try:
                pending = 1 if singly else len(stream)
                await self._send_next(stream, sent, delivery, pending, ceilings)
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
        self,
        stream: Stream,
        sent: list[Write],
        delivery: Delivery,
        pending: int,
        ceilings: tuple[RateLimiter, ...],
    ) -> None:
        """Return when the first writes of a stream are durable; `sent` has them then."""
        deadline, stats = delivery.deadline, delivery.stats
        partition = await self.partitions.locate(stream[0].stream_id, deadline)

        async def attempt() -> None:
            async with self.limiters.background_attempt(
                partition.start, pending, deadline, stats, ceilings
            ) as admitted:
                sent[:] = islice(stream, count_fitting(stream, admitted.max_operations))
                await self._send(sent, deadline, admitted)

        await self.retrier.run(attempt, deadline, stats)

    async def _send(self, sent: list[Write], deadline: Deadline, attempt: RequestAttempt) -> None:
        try:
            async with deadline.hold(self.slots):
                await send_transactional(
                    self.container, sent[0].stream_id, sent, attempt.record_charge
                )
        except TransientError as error:
            if error.status == GONE:
                await self.partitions.refresh(deadline)
            raise
