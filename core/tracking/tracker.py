"""The progress of projection modules, read from their leases."""

from __future__ import annotations

import asyncio
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from pydantic.alias_generators import to_camel

from core.tracking.lag import Lag, lag_of, total_lag
from core.tracking.leases import (
    Lease,
    LeaseState,
    is_lease_of,
    lease_prefix,
    partitions_without_lease,
    split_by_partition,
    without_superseded,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from core.cosmos.container import Container
    from core.cosmos.key_ranges import KeyRange
    from core.throttling.deadline import Deadline
    from core.tracking.change_feed import ChangeFeed
    from core.tracking.fan_out_progress import FanOutProgress

_MAX_CONCURRENT_PROBES = 8


@dataclass(frozen=True, kw_only=True)
class LeaseStatus:
    """A lease with its state and its lag."""

    lease: Lease
    state: LeaseState
    lag: Lag

    def to_dict(self) -> dict[str, Any]:
        """Return what is shown of it."""
        lease, key_range = self.lease, self.lease.range
        return {
            "id": lease.id,
            "leaseToken": lease.token,
            "range": {"start": key_range.start, "end": key_range.end} if key_range else None,
            "owner": lease.owner,
            "state": self.state.value,
            "checkpoint": lease.checkpoint,
            "updatedAt": lease.updated_at.isoformat(),
            "lagTransactions": self.lag.transactions,
            "lagSeconds": round(self.lag.seconds, 1),
            "caughtUp": self.lag.caught_up,
        }


@dataclass(frozen=True, kw_only=True)
class ModuleStatus:
    """The status of a projection module; without leases its trigger has never started.

    Attributes:
        name: The name of the module.
        leases: The leases.
        partitions_without_lease: The number of physical partitions that no lease covers.
        fan_outs: The progress of large fan-outs that are not completed.
    """

    name: str
    leases: tuple[LeaseStatus, ...]
    partitions_without_lease: int = 0
    fan_outs: tuple[FanOutProgress, ...] = ()

    @property
    def lag(self) -> Lag:
        """The lag over all leases."""
        return total_lag(status.lag for status in self.leases)

    @property
    def caught_up(self) -> bool:
        """Whether everything that was stored at that time is processed."""
        return bool(self.leases) and not self.partitions_without_lease and self.lag.caught_up

    def to_dict(self) -> dict[str, Any]:
        """Return what is shown of it, with null for the lag if there are no leases."""
        return {
            "module": self.name,
            "caughtUp": self.caught_up,
            "lagTransactions": self.lag.transactions if self.leases else None,
            "lagSeconds": round(self.lag.seconds, 1) if self.leases else None,
            "partitionsWithoutLease": self.partitions_without_lease,
            "fanOuts": [progress.to_dict() for progress in self.fan_outs],
            "leases": [status.to_dict() for status in self.leases],
        }


@dataclass(frozen=True, kw_only=True)
class EventStatus:
    """Whether a module has processed an event, and the lease that shows it."""

    module: str
    stream_id: str
    event_id: str
    processed: bool
    lease_token: str | None

    def to_dict(self) -> dict[str, Any]:
        """Return what is shown of it."""
        return {to_camel(name): value for name, value in asdict(self).items()}


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
        return ModuleStatus(
            name=module, leases=tuple(statuses), partitions_without_lease=len(missing)
        )

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
        return LeaseStatus(
            lease=lease,
            state=lease.state(now),
            lag=total_lag(lag_of(probe, now) for probe in probes),
        )


def _lacks_range(document: Mapping[str, Any]) -> bool:
    return "FeedRange" not in document and ("LeaseToken" in document or "PartitionId" in document)


def _lease_for(leases: Iterable[Lease], key: str) -> Lease | None:
    holders = (lease for lease in leases if lease.range and lease.range.holds(key))
    return next(holders, None)
