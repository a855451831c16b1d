"""Writes documents to the events container: many streams concurrently, each in its order."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from core.errors import RejectedByCosmosError
from core.writing.bulk_writer import PartitionBulkWriter
from core.writing.call import WriteCall
from core.writing.plan import plan_writes
from core.writing.results import raise_most_severe, results_of
from core.writing.stream_writer import StreamWriter

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterable

    from azure.cosmos.aio import ContainerProxy

    from core.cosmos.partitions import Partition, PartitionMap
    from core.throttling.deadline import Deadline
    from core.throttling.rate_limiters import RateLimiter, RateLimiters
    from core.throttling.retrier import Retrier
    from core.throttling.stats import RequestStats
    from core.writing.plan import Stream
    from core.writing.writes import Write, WriteResult

logger = logging.getLogger(__name__)

_PAUSE_SECONDS = 0.05
"""The wait before streams are located again whose partition is gone."""


@dataclass(kw_only=True)
class BulkMode:
    """Whether bulk requests are sent; disabled for good once the service rejects them."""

    enabled: bool = True


@dataclass(frozen=True, kw_only=True)
class Writer:
    """Upserts documents into the events container.

    Attributes:
        container: The events container.
        partitions: The physical partitions of streams.
        limiters: The rate limiters of the process.
        retrier: The retries.
        slots: The limit on requests in flight, shared by all invocations of the process. A request
            that waits for its rate limiter holds none.
        bulk: Whether bulk requests are sent.
    """

    container: ContainerProxy
    partitions: PartitionMap
    limiters: RateLimiters
    retrier: Retrier
    slots: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(32))
    bulk: BulkMode = field(default_factory=BulkMode)

    def write(
        self, writes: Iterable[Write], deadline: Deadline, stats: RequestStats
    ) -> AsyncGenerator[WriteResult, None]:
        """Write all documents, and yield the result of each as soon as it is known.

        The generator must be closed. Writes without a result must be written again.

        Args:
            writes: The documents; the order of those of one stream is kept.
            deadline: The time by which the writing must end.
            stats: The meter of its requests.

        Raises:
            DeadlineExceededError: If the deadline is reached, after all results.
            CosmosError: If Cosmos DB returns an error that is not retryable, after all results.
        """
        call = WriteCall(
            container=self.container,
            partitions=self.partitions,
            limiters=self.limiters,
            retrier=self.retrier,
            slots=self.slots,
            deadline=deadline,
            stats=stats,
        )
        transactional, bulk = plan_writes(writes, bulk=self.bulk.enabled)
        work = [StreamWriter(call, stream).write() for stream in transactional]
        if bulk:
            work.append(self._write_bulk(bulk, call))
        return results_of(call.results, work)

    async def _write_bulk(self, streams: list[Stream], call: WriteCall) -> None:
        """Write streams together with others of their partition, or each by itself without bulk."""
        while streams and self.bulk.enabled:
            writers = await self._bulk_writers(streams, call)
            work = (writer.write() for writer in writers)
            try:
                raise_most_severe(await asyncio.gather(*work, return_exceptions=True))
            except RejectedByCosmosError as error:
                self._disable_bulk(str(error))
            else:
                await self._write_rejected(writers, call)
            streams = [stream for stream in streams if stream]
            if any(writer.moved_streams for writer in writers):
                await self.retrier.sleep(_PAUSE_SECONDS)
                await self.partitions.refresh(call.deadline)
        if streams:
            work = (StreamWriter(call, stream).write() for stream in streams)
            raise_most_severe(await asyncio.gather(*work, return_exceptions=True))

    async def _write_rejected(self, writers: list[PartitionBulkWriter], call: WriteCall) -> None:
        """Write individually what bulk requests have rejected, which tells who is to blame.

        If nothing was written by bulk requests, and a write that they rejected is accepted, the
        service does not support them.
        """
        for writer in writers:
            alone = [
                StreamWriter(call, deque([stream.popleft()])) for stream in writer.rejected_streams
            ]
            work = (stream_writer.write() for stream_writer in alone)
            raise_most_severe(await asyncio.gather(*work, return_exceptions=True))
            if not writer.has_written and any(not one.rejected for one in alone):
                self._disable_bulk("Bulk requests reject documents that are accepted alone.")

    async def _bulk_writers(
        self, streams: list[Stream], call: WriteCall
    ) -> list[PartitionBulkWriter]:
        groups: dict[tuple[Partition, tuple[RateLimiter, ...]], list[Stream]] = {}
        for stream in streams:
            partition = await self.partitions.locate(stream[0].stream_id, call.deadline)
            limiters = self.limiters.for_projections(write.cause.projection for write in stream)
            groups.setdefault((partition, limiters), []).append(stream)
        if any(partition.id is None for partition, _ in groups):
            self._disable_bulk("The service does not return the ids of its partitions.")
            return []
        return [
            PartitionBulkWriter(call, partition, limiters, group)
            for (partition, limiters), group in groups.items()
        ]

    def _disable_bulk(self, reason: str) -> None:
        if not self.bulk.enabled:
            return
        self.bulk.enabled = False
        logger.warning("bulk.disabled reason=%s", reason)
