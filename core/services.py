"""The adapters that share one Cosmos client, opened together and closed together."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from core.cosmos.client import Client
from core.cosmos.gates import Ceilings, Gates
from core.cosmos.partitions import PartitionMap
from core.cosmos.retrying import Effort, Retrier
from core.dead_letters.store import DeadLetters
from core.errors import BudgetSpentError
from core.projecting.batch_run import Runner
from core.projecting.processor import Pipeline
from core.streams.event_store import Streams
from core.tracking.change_feed import Feed
from core.tracking.fan_out_progress import Cursors
from core.tracking.tracker import Tracker
from core.writing.writer import Bulk, Writer

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from azure.cosmos.aio import ContainerProxy, CosmosClient

    from core.settings import Settings
    from core.throttling.deadline import Budget

ResultT = TypeVar("ResultT")


@dataclass(frozen=True, kw_only=True)
class Engine:
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
    tracker: Tracker
    streams: Streams
    runner: Runner
    pipeline: Pipeline
    dead_letters: DeadLetters
    retrier: Retrier

    @classmethod
    def open(cls, settings: Settings) -> Engine:
        """Open the client on the running loop; nothing is sent yet.

        Raises:
            SettingError: The connection is missing or malformed.
        """
        client = Client(settings.require_connection())
        database = client.get_database_client(settings.database)
        events = database.get_container_client(settings.events)
        retrier = Retrier(gates=Gates())
        partitions = PartitionMap(events, retrier)
        dead_letters = DeadLetters(
            container=database.get_container_client(settings.dead_letters), retrier=retrier
        )
        leases = database.get_container_client(settings.leases)
        runner = Runner(
            writer=Writer(
                container=events,
                partitions=partitions,
                retrier=retrier,
                slots=asyncio.Semaphore(settings.concurrency),
                bulk=Bulk(on=settings.bulk),
                ceilings=Ceilings(settings.ceilings),
            ),
            cursors=Cursors(container=leases, retrier=retrier),
        )
        return cls(
            client=client,
            events=events,
            tracker=Tracker(feed=Feed(container=events), leases=leases),
            streams=Streams(container=events, partitions=partitions, retrier=retrier),
            runner=runner,
            pipeline=Pipeline(runner=runner, dead_letters=dead_letters, max_hops=settings.max_hops),
            dead_letters=dead_letters,
            retrier=retrier,
        )

    async def read(self, operation: Callable[[], Awaitable[ResultT]], budget: Budget) -> ResultT:
        """The result of an operation that only reads, which may be tried again.

        Raises:
            BudgetSpentError: Time ran out.
            CosmosError: Retrying cannot help.
        """
        work = self.retrier.run(
            lambda _: operation(), partition="reads", budget=budget, effort=Effort()
        )
        try:
            return await asyncio.wait_for(work, budget.remaining())
        except asyncio.TimeoutError:
            raise BudgetSpentError("The time is up while reading.") from None

    async def close(self) -> None:
        """Close the client and its connections."""
        await self.client.close()
