"""The objects of the engine over one client of Cosmos DB, opened and closed together."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from core.cosmos.client import Client
from core.cosmos.container import Container
from core.cosmos.partitions import PartitionMap
from core.cosmos.requests import Requests
from core.dead_letters.store import DeadLetterStore
from core.projecting.batch_run import ProjectionLimits
from core.projecting.processor import BatchProcessor
from core.streams.append_queue import AppendQueue
from core.streams.appender import Appender
from core.streams.deciding import DecisionMaker
from core.streams.event_store import EventStore
from core.streams.reader import StreamReader
from core.streams.stored_documents import StoredDocuments
from core.throttling.rate_limiters import RateLimiters
from core.throttling.retrier import Retrier
from core.tracking.change_feed import ChangeFeed
from core.tracking.coverage_recorder import CoverageRecorder
from core.tracking.fan_out_progress import FanOutProgressStore
from core.tracking.hosts import HostReporter
from core.tracking.tracker import ProgressTracker
from core.writing.writer import BulkMode, Writer

if TYPE_CHECKING:
    from azure.cosmos.aio import ContainerProxy

    from core.settings import Settings

HTTP_TIMEOUT_SECONDS = 60.0
"""The seconds in which an HTTP function responds, also if the account is throttled."""

HEALTH_TIMEOUT_SECONDS = 5.0
"""The seconds in which a health check responds."""


@dataclass(frozen=True, kw_only=True)
class Services:
    """Everything that talks to Cosmos DB.

    Attributes:
        client: The one client of the process.
        requests: What sends the requests that a caller waits for.
        events: The events container.
        appends: What appends to streams.
        decisions: What lets commands decide on the state of their streams.
        reader: The reader of streams.
        stored_documents: The reader of batches whose dates the host has rewritten.
        processor: The processor of batches.
        dead_letters: The store of dead letters.
        fan_out_progress: The store for the progress of large fan-outs.
        tracker: The progress of the modules.
        coverage: What records since when projections are given everything.
    """

    client: Client
    requests: Requests
    events: ContainerProxy
    appends: AppendQueue
    decisions: DecisionMaker
    reader: StreamReader
    stored_documents: StoredDocuments
    processor: BatchProcessor
    dead_letters: DeadLetterStore
    fan_out_progress: FanOutProgressStore
    tracker: ProgressTracker
    coverage: CoverageRecorder

    @classmethod
    def open(cls, settings: Settings) -> Services:
        """Open the client on the running loop, without sending anything.

        Raises:
            SettingError: If the connection is missing or malformed.
        """
        client = Client(settings.require_connection())
        database = client.get_database_client(settings.database)
        events = database.get_container_client(settings.events_container)
        limiters, retrier = RateLimiters(settings.request_unit_limits), Retrier()
        requests = Requests(limiters=limiters, retrier=retrier, enter=client.enter)
        partitions = PartitionMap(events, requests)
        reader = StreamReader(container=events, partitions=partitions, requests=requests)

        def documents(name: str, limiter: str) -> Container:
            proxy = database.get_container_client(name)
            return Container(proxy=proxy, requests=requests, limiter=limiter)

        leases = documents(settings.leases_container, "leases")
        progress = FanOutProgressStore(container=leases)
        feed = ChangeFeed(container=events, requests=requests)
        tracker = ProgressTracker(feed=feed, leases=leases, now=client.clock.now)
        parked = documents(settings.dead_letters_container, "dead letters")
        dead_letters = DeadLetterStore(container=parked, now=client.clock.now)
        writer = Writer(
            container=events,
            partitions=partitions,
            limiters=limiters,
            retrier=retrier,
            slots=asyncio.Semaphore(settings.write_concurrency),
            bulk=BulkMode(enabled=settings.bulk_writes_enabled),
        )
        store = EventStore(reader=reader)
        appender = Appender(store=store, now=client.clock.now, write_endpoint=client.write_endpoint)
        appends = AppendQueue(appender)
        stored = StoredDocuments(reader=reader)
        hosts = HostReporter(leases, partial(_conditions, limiters, stored), now=client.clock.now)
        return cls(
            client=client,
            requests=requests,
            events=events,
            appends=appends,
            decisions=DecisionMaker(appender=appender, queue=appends),
            reader=reader,
            stored_documents=stored,
            processor=BatchProcessor(
                writer=writer,
                dead_letters=dead_letters,
                fan_out_progress=progress,
                limits=_limits(settings),
            ),
            dead_letters=dead_letters,
            fan_out_progress=progress,
            tracker=tracker,
            coverage=CoverageRecorder(leases, tracker, hosts, now=client.clock.now),
        )

    async def close(self) -> None:
        """End what is being appended, and close the client and its connections."""
        await self.appends.close()
        await self.client.close()

    @property
    def conditions(self) -> dict[str, int]:
        """What went wrong in this process in the last minutes, by its code."""
        return _conditions(self.requests.limiters, self.stored_documents)


def _limits(settings: Settings) -> ProjectionLimits:
    return ProjectionLimits(hops=settings.max_hops, cpu_seconds=settings.invocation_timeout_seconds)


def _conditions(limiters: RateLimiters, stored_documents: StoredDocuments) -> dict[str, int]:
    return {**stored_documents.conditions, **limiters.recent.counts()}
