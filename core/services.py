"""The adapters that share one Cosmos client, opened together and closed together."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from core.cosmos.client import Client
from core.cosmos.gates import Ceilings, RateLimiters
from core.cosmos.partitions import PartitionMap
from core.cosmos.retrying import RequestStats, Retrier
from core.dead_letters.store import DeadLetterStore
from core.errors import DeadlineExceededError
from core.projecting.batch_run import BatchRunner
from core.projecting.processor import BatchProcessor
from core.streams.event_store import EventStore
from core.tracking.change_feed import ChangeFeed
from core.tracking.fan_out_progress import FanOutProgressStore
from core.tracking.tracker import ProgressTracker
from core.writing.writer import Bulk, Writer

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from azure.cosmos.aio import ContainerProxy, CosmosClient

    from core.settings import Settings
    from core.throttling.deadline import Deadline

ResultT = TypeVar("ResultT")


@dataclass(frozen=True, kw_only=True)
class Services:
    """Everything that talks to Cosmos DB.

    Attributes:
        client: The one client of the process.
        events: The events container.
        tracker: What each module has completely processed.
        streams: Appends and reads.
        runner: Makes derived events durable.
        pipeline: Projects batches.
        dead_letters: What could not be projected.
        retrier: Tries again.
    """

    client: CosmosClient
    events: ContainerProxy
    tracker: ProgressTracker
    streams: EventStore
    runner: BatchRunner
    pipeline: BatchProcessor
    dead_letters: DeadLetterStore
    retrier: Retrier

    @classmethod
    def open(cls, settings: Settings) -> Services:
        """Open the client on the running loop; nothing is sent yet.

        Raises:
            SettingError: The connection is missing or malformed.
        """
        client = Client(settings.require_connection())
        database = client.get_database_client(settings.database)
        events = database.get_container_client(settings.events_container)
        retrier = Retrier(gates=RateLimiters())
        partitions = PartitionMap(events, retrier)
        dead_letters = DeadLetterStore(
            container=database.get_container_client(settings.dead_letters_container),
            retrier=retrier,
        )
        leases = database.get_container_client(settings.leases_container)
        runner = BatchRunner(
            writer=Writer(
                container=events,
                partitions=partitions,
                retrier=retrier,
                slots=asyncio.Semaphore(settings.write_concurrency),
                bulk=Bulk(on=settings.bulk_writes_enabled),
                ceilings=Ceilings(settings.request_unit_limits),
            ),
            cursors=FanOutProgressStore(container=leases, retrier=retrier),
        )
        return cls(
            client=client,
            events=events,
            tracker=ProgressTracker(feed=ChangeFeed(container=events), leases=leases),
            streams=EventStore(container=events, partitions=partitions, retrier=retrier),
            runner=runner,
            pipeline=BatchProcessor(
                runner=runner, dead_letters=dead_letters, max_hops=settings.max_hops
            ),
            dead_letters=dead_letters,
            retrier=retrier,
        )

    async def read(
        self, operation: Callable[[], Awaitable[ResultT]], deadline: Deadline
    ) -> ResultT:
        """The result of an operation that only reads, which may be tried again.

        Raises:
            DeadlineExceededError: Time ran out.
            CosmosError: Retrying cannot help.
        """
        work = self.retrier.run(
            lambda _: operation(), partition="reads", deadline=deadline, effort=RequestStats()
        )
        try:
            return await asyncio.wait_for(work, deadline.remaining())
        except asyncio.TimeoutError:
            raise DeadlineExceededError("The time is up while reading.") from None

    async def close(self) -> None:
        """Close the client and its connections."""
        await self.client.close()
