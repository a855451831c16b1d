"""The adapters that share one Cosmos client, opened together and closed together."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.cosmos.client import Client
from core.cosmos.container import Container
from core.cosmos.partitions import PartitionMap
from core.cosmos.requests import Requests
from core.dead_letters.store import DeadLetterStore
from core.projecting.batch_run import BatchRunner
from core.projecting.processor import BatchProcessor
from core.streams.event_store import EventStore
from core.throttling.rate_limiters import RateLimiters
from core.throttling.retrier import Retrier
from core.tracking.change_feed import ChangeFeed
from core.tracking.fan_out_progress import FanOutProgressStore
from core.tracking.tracker import ProgressTracker
from core.writing.writer import Bulk, Writer

if TYPE_CHECKING:
    from azure.cosmos.aio import ContainerProxy, CosmosClient

    from core.settings import Settings


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
        requests: What sends the requests that a caller waits for.
    """

    client: CosmosClient
    events: ContainerProxy
    tracker: ProgressTracker
    streams: EventStore
    runner: BatchRunner
    pipeline: BatchProcessor
    dead_letters: DeadLetterStore
    requests: Requests

    @classmethod
    def open(cls, settings: Settings) -> Services:
        """Open the client on the running loop; nothing is sent yet.

        Raises:
            SettingError: The connection is missing or malformed.
        """
        client = Client(settings.require_connection())
        database = client.get_database_client(settings.database)
        events = database.get_container_client(settings.events_container)
        limiters, retrier = RateLimiters(settings.request_unit_limits), Retrier()
        requests = Requests(limiters=limiters, retrier=retrier)
        partitions = PartitionMap(events, requests)
        dead_letters = DeadLetterStore(
            container=Container(
                proxy=database.get_container_client(settings.dead_letters_container),
                requests=requests,
                limiter="dead letters",
            )
        )
        leases = Container(
            proxy=database.get_container_client(settings.leases_container),
            requests=requests,
            limiter="leases",
        )
        runner = BatchRunner(
            writer=Writer(
                container=events,
                partitions=partitions,
                limiters=limiters,
                retrier=retrier,
                slots=asyncio.Semaphore(settings.write_concurrency),
                bulk=Bulk(on=settings.bulk_writes_enabled),
            ),
            cursors=FanOutProgressStore(container=leases),
        )
        return cls(
            client=client,
            events=events,
            tracker=ProgressTracker(
                feed=ChangeFeed(container=events, requests=requests), leases=leases
            ),
            streams=EventStore(container=events, partitions=partitions, requests=requests),
            runner=runner,
            pipeline=BatchProcessor(
                runner=runner, dead_letters=dead_letters, max_hops=settings.max_hops
            ),
            dead_letters=dead_letters,
            requests=requests,
        )

    async def close(self) -> None:
        """Close the client and its connections."""
        await self.client.close()
