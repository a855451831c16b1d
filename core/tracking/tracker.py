"""The progress of projection modules, read from their leases."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from core.tracking.lag import lag_of, total_lag
from core.tracking.leases import (
    Lease,
    is_lease_of,
    lease_prefix,
    partitions_without_lease,
    split_by_partition,
    without_superseded,
)
from core.tracking.status import EventStatus, LeaseStatus, ModuleStatus

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from core.cosmos.container import Container
    from core.cosmos.key_ranges import KeyRange
    from core.throttling.deadline import Deadline
    from core.tracking.change_feed import ChangeFeed

_MAX_CONCURRENT_PROBES = 8


@dataclass(frozen=True, kw_only=True)
class ProgressTracker:
    """Reads leases and probes the change feed; writes nothing.

    Every method raises DeadlineExceededError if the deadline is reached, CosmosError if Cosmos DB
    returns an error that is not retryable, and LeaseFormatError if a lease is not as documented.

    Attributes:
        feed: The change feed of the events container.
        leases: The lease container.
    """

    feed: ChangeFeed
    leases: Container

    async def module_status(self, module: str, deadline: Deadline) -> ModuleStatus:
        """Return the leases of a module with their lag."""
        partitions = await self.feed.partitions(deadline)
        rid = await self.feed.rid(deadline)
        leases = without_superseded(await self._leases(module, rid, deadline), partitions)
        slots = asyncio.Semaphore(_MAX_CONCURRENT_PROBES)

        async def probe(lease: Lease) -> LeaseStatus:
            async with slots:
                return await self._lease_status(lease, partitions, rid, deadline)

        statuses = await asyncio.gather(*(probe(lease) for lease in leases))
        missing = partitions_without_lease(leases, partitions)
        return ModuleStatus.from_leases(module, statuses, len(missing))

    async def event_status(
        self, module: str, stream_id: str, event_id: str, deadline: Deadline
    ) -> EventStatus:
        """Return whether a module has processed an event, which includes parking it.

        It has if the change feed does not contain the event after the checkpoint of its lease.
        """
        key_range = await self.feed.key_range_of(stream_id, deadline)
        partitions = await self.feed.partitions(deadline)
        rid = await self.feed.rid(deadline)
        leases = without_superseded(await self._leases(module, rid, deadline), partitions)
        lease = _lease_for(leases, key_range.start)
        is_pending = (
            lease is None
            or lease.checkpoint is None
            or await self.feed.contains_after(
                lease.checkpoint, key_range, rid, (stream_id, event_id), deadline
            )
        )
        return EventStatus(
            module=module,
            stream_id=stream_id,
            event_id=event_id,
            processed=not is_pending,
            lease_token=lease.token if lease else None,
        )

    async def _leases(self, module: str, rid: str, deadline: Deadline) -> list[Lease]:
        documents = await self.leases.query(
            f"reading the leases of {module}",
            "SELECT * FROM c WHERE STARTSWITH(c.id, @prefix)",
            {"@prefix": lease_prefix(module)},
            deadline,
        )
        by_id = {document["id"]: document for document in documents}
        some_lack_range = any(_lacks_range(document) for document in documents)
        ranges = await self.feed.ranges_by_id(deadline) if some_lack_range else {}
        leases = [
            Lease.from_document(document)
            for lease_id, document in sorted(by_id.items())
            if is_lease_of(lease_id, module, rid)
        ]
        return [
            replace(lease, range=lease.range or ranges.get(lease.token))
            for lease in leases
            if lease is not None
        ]

    async def _lease_status(
        self, lease: Lease, partitions: list[KeyRange], rid: str, deadline: Deadline
    ) -> LeaseStatus:
        now = datetime.now(timezone.utc)
        probes = [
            await self.feed.probe(lease.checkpoint, key_range, rid, deadline)
            for key_range in split_by_partition(lease, partitions)
        ]
        return LeaseStatus.from_lease(lease, now, total_lag(lag_of(probe, now) for probe in probes))


def _lacks_range(document: Mapping[str, Any]) -> bool:
    return "FeedRange" not in document and ("LeaseToken" in document or "PartitionId" in document)


def _lease_for(leases: Iterable[Lease], key: str) -> Lease | None:
    holders = (lease for lease in leases if lease.range and lease.range.holds(key))
    return next(holders, None)
