"""The tracker: what each projection module has completely processed, read from its leases."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from core.cosmos.requests import fetch_all, run_request
from core.errors import NotFoundError, UnknownResourceError
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
    from collections.abc import AsyncIterator, Iterable, Mapping

    from azure.cosmos.aio import ContainerProxy

    from core.cosmos.key_ranges import KeyRange
    from core.tracking.change_feed import ChangeFeed
    from core.tracking.fan_out_progress import FanOutProgress

_PROBES_AT_ONCE = 8


@dataclass(frozen=True, kw_only=True)
class LeaseStatus:
    """A lease, whether somebody works on it, and its lag."""

    lease: Lease
    state: LeaseState
    lag: Lag

    def as_json(self) -> dict[str, Any]:
        """All that is known, by name."""
        lease = self.lease
        return {
            "id": lease.id,
            "lease": lease.token,
            "range": [lease.range.start, lease.range.end] if lease.range else None,
            "owner": lease.owner,
            "state": self.state.value,
            "alive": self.state is LeaseState.ACTIVE,
            "checkpoint": lease.checkpoint,
            "written": lease.updated_at.isoformat(),
            "lag_transactions": self.lag.transactions,
            "lag_seconds": round(self.lag.seconds, 1),
            "caught_up": self.lag.caught_up,
        }


@dataclass(frozen=True, kw_only=True)
class ModuleStatus:
    """A projection module over all its leases; without any, its trigger has never started.

    `partitions_without_lease` counts the physical partitions that no lease covers.
    `fan_outs` are the large ones that are under way.
    """

    name: str
    leases: tuple[LeaseStatus, ...]
    partitions_without_lease: int = 0
    fan_outs: tuple[FanOutProgress, ...] = ()

    @property
    def lag(self) -> Lag:
        """Over all leases."""
        return total_lag(each.lag for each in self.leases)

    @property
    def caught_up(self) -> bool:
        """Whether everything that is stored was processed when it was looked at."""
        return bool(self.leases) and not self.partitions_without_lease and self.lag.caught_up

    def as_json(self) -> dict[str, Any]:
        """All that is known, by name; the lag is null where there are no leases to tell it."""
        return {
            "name": self.name,
            "caught_up": self.caught_up,
            "lag_transactions": self.lag.transactions if self.leases else None,
            "lag_seconds": round(self.lag.seconds, 1) if self.leases else None,
            "uncovered_partitions": self.partitions_without_lease,
            "fan_outs": [each.as_json() for each in self.fan_outs],
            "leases": [each.as_json() for each in self.leases],
        }


@dataclass(frozen=True, kw_only=True)
class EventStatus:
    """Whether one event is completely processed by one module, and by which lease it is told."""

    module: str
    stream_id: str
    event_id: str
    processed: bool
    lease: str | None

    def as_json(self) -> dict[str, Any]:
        """All that is known, by name."""
        return {
            "projection": self.module,
            "stream": self.stream_id,
            "event": self.event_id,
            "processed": self.processed,
            "lease": self.lease,
        }


@dataclass(frozen=True, kw_only=True)
class ProgressTracker:
    """Reads leases and probes the feed; writes nothing.

    Attributes:
        feed: Of the events container.
        leases: The lease container.
    """

    feed: ChangeFeed
    leases: ContainerProxy

    async def module_status(self, module: str) -> ModuleStatus:
        """How far a module is.

        Raises:
            CosmosError: It cannot be read.
            LeaseFormatError: A lease document or an answer is not as documented.
        """
        partitions = await self.feed.partitions()
        rid = await self.feed.rid()
        found = [each async for each in self._leases(module, rid)]
        slots = asyncio.Semaphore(_PROBES_AT_ONCE)

        async def look(lease: Lease) -> LeaseStatus:
            async with slots:
                return await self._look(lease, partitions, rid)

        leases = without_superseded(found, partitions)
        statuses = await asyncio.gather(*(look(each) for each in leases))
        missing = partitions_without_lease(leases, partitions)
        return ModuleStatus(
            name=module, leases=tuple(statuses), partitions_without_lease=len(missing)
        )

    async def event_status(self, module: str, stream_id: str, event_id: str) -> EventStatus:
        """Whether a module has completely processed an event, be it by parking it.

        It has when the event does not come any more behind the checkpoint of its lease.

        Raises:
            UnknownResourceError: There is no such event.
            CosmosError: It cannot be read.
        """
        await self._require(stream_id, event_id)
        place = await self.feed.key_range_of(stream_id)
        partitions = await self.feed.partitions()
        rid = await self.feed.rid()
        found = [each async for each in self._leases(module, rid)]
        lease = _holder(without_superseded(found, partitions), place.start)
        processed = (
            lease is not None
            and lease.checkpoint is not None
            and not await self.feed.contains_after(
                lease.checkpoint, place, rid, (stream_id, event_id)
            )
        )
        return EventStatus(
            module=module,
            stream_id=stream_id,
            event_id=event_id,
            processed=processed,
            lease=lease.token if lease else None,
        )

    async def _leases(self, module: str, rid: str) -> AsyncIterator[Lease]:
        items = self.leases.query_items(
            "SELECT * FROM c WHERE STARTSWITH(c.id, @prefix)",
            parameters=[{"name": "@prefix", "value": lease_prefix(module)}],
        )
        documents = await fetch_all(f"reading the leases of {module}", items)
        by_id = {document["id"]: document for document in documents}
        bare = any(_lacks_range(each) for each in documents)
        ranges = await self.feed.ranges_by_id() if bare else {}
        for lease_id, document in sorted(by_id.items()):
            lease = Lease.from_document(document) if is_lease_of(lease_id, module, rid) else None
            if lease is not None:
                known = lease.range or ranges.get(lease.token)
                yield replace(lease, range=known)

    async def _look(self, lease: Lease, partitions: list[KeyRange], rid: str) -> LeaseStatus:
        now = datetime.now(timezone.utc)
        probes = [
            await self.feed.probe(lease.checkpoint, piece, rid)
            for piece in split_by_partition(lease, partitions)
        ]
        return LeaseStatus(
            lease=lease,
            state=lease.state(now),
            lag=total_lag(lag_of(probe, now) for probe in probes),
        )

    async def _require(self, stream_id: str, event_id: str) -> None:
        try:
            item = self.feed.container.read_item(event_id, stream_id)
            await run_request(f"reading event {event_id}", item, absent=NotFoundError)
        except NotFoundError:
            raise UnknownResourceError(
                f"There is no event {event_id!r} in stream {stream_id!r}."
            ) from None


def _lacks_range(document: Mapping[str, Any]) -> bool:
    return "FeedRange" not in document and ("LeaseToken" in document or "PartitionId" in document)


def _holder(leases: Iterable[Lease], effective_partition_key: str) -> Lease | None:
    found = (each for each in leases if each.range and each.range.holds(effective_partition_key))
    return next(found, None)
