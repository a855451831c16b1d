"""The tracker: what each projection module has completely processed, read from its leases."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from core.cosmos.requests import answered, listed
from core.errors import NotFoundError, UnknownNameError
from core.tracking.lag import Lag, lag, total
from core.tracking.leases import (
    Lease,
    LeaseState,
    belongs,
    current,
    lease_prefix,
    pieces,
    uncovered,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Mapping

    from azure.cosmos.aio import ContainerProxy

    from core.cosmos.key_ranges import KeyRange
    from core.tracking.change_feed import Feed
    from core.tracking.fan_out_progress import Cursor

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
            "range": [lease.range.low, lease.range.high] if lease.range else None,
            "owner": lease.owner,
            "state": self.state.value,
            "alive": self.state is LeaseState.ALIVE,
            "checkpoint": lease.checkpoint,
            "written": lease.written.isoformat(),
            "lag_transactions": self.lag.transactions,
            "lag_seconds": round(self.lag.seconds, 1),
            "caught_up": self.lag.caught_up,
        }


@dataclass(frozen=True, kw_only=True)
class ModuleStatus:
    """A projection module over all its leases; without any, its trigger has never started.

    `uncovered` counts the physical partitions that no lease is for: nobody reads them.
    `fan_outs` are the large ones that are under way.
    """

    name: str
    leases: tuple[LeaseStatus, ...]
    uncovered: int = 0
    fan_outs: tuple[Cursor, ...] = ()

    @property
    def lag(self) -> Lag:
        """Over all leases."""
        return total(each.lag for each in self.leases)

    @property
    def caught_up(self) -> bool:
        """Whether everything that is stored was processed when it was looked at."""
        return bool(self.leases) and not self.uncovered and self.lag.caught_up

    def as_json(self) -> dict[str, Any]:
        """All that is known, by name; the lag is null where there are no leases to tell it."""
        return {
            "name": self.name,
            "caught_up": self.caught_up,
            "lag_transactions": self.lag.transactions if self.leases else None,
            "lag_seconds": round(self.lag.seconds, 1) if self.leases else None,
            "uncovered_partitions": self.uncovered,
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
class Tracker:
    """Reads leases and probes the feed; writes nothing.

    Attributes:
        feed: Of the events container.
        leases: The lease container.
    """

    feed: Feed
    leases: ContainerProxy

    async def status(self, module: str) -> ModuleStatus:
        """How far a module is.

        Raises:
            CosmosError: It cannot be read.
            LeaseError: A lease document or an answer is not as documented.
        """
        partitions = await self.feed.partitions()
        rid = await self.feed.rid()
        found = [each async for each in self._leases(module, rid)]
        slots = asyncio.Semaphore(_PROBES_AT_ONCE)

        async def look(lease: Lease) -> LeaseStatus:
            async with slots:
                return await self._look(lease, partitions, rid)

        leases = current(found, partitions)
        statuses = await asyncio.gather(*(look(each) for each in leases))
        missing = uncovered(leases, partitions)
        return ModuleStatus(name=module, leases=tuple(statuses), uncovered=len(missing))

    async def event(self, module: str, stream_id: str, event_id: str) -> EventStatus:
        """Whether a module has completely processed an event, be it by parking it.

        It has when the event does not come any more behind the checkpoint of its lease.

        Raises:
            UnknownNameError: There is no such event.
            CosmosError: It cannot be read.
        """
        await self._require(stream_id, event_id)
        place = await self.feed.place(stream_id)
        partitions = await self.feed.partitions()
        rid = await self.feed.rid()
        found = [each async for each in self._leases(module, rid)]
        lease = _holder(current(found, partitions), place.low)
        processed = (
            lease is not None
            and lease.checkpoint is not None
            and not await self.feed.comes_after(lease.checkpoint, place, rid, (stream_id, event_id))
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
        documents = await listed(f"reading the leases of {module}", items)
        by_id = {document["id"]: document for document in documents}
        bare = any(_lacks_range(each) for each in documents)
        ranges = await self.feed.ranges_by_id() if bare else {}
        for lease_id, document in sorted(by_id.items()):
            lease = Lease.read(document) if belongs(lease_id, module, rid) else None
            if lease is not None:
                known = lease.range or ranges.get(lease.token)
                yield replace(lease, range=known)

    async def _look(self, lease: Lease, partitions: list[KeyRange], rid: str) -> LeaseStatus:
        now = datetime.now(timezone.utc)
        probes = [
            await self.feed.probe(lease.checkpoint, piece, rid)
            for piece in pieces(lease, partitions)
        ]
        return LeaseStatus(
            lease=lease, state=lease.state(now), lag=total(lag(probe, now) for probe in probes)
        )

    async def _require(self, stream_id: str, event_id: str) -> None:
        try:
            item = self.feed.container.read_item(event_id, stream_id)
            await answered(f"reading event {event_id}", item, absent=NotFoundError)
        except NotFoundError:
            raise UnknownNameError(
                f"There is no event {event_id!r} in stream {stream_id!r}."
            ) from None


def _lacks_range(document: Mapping[str, Any]) -> bool:
    return "FeedRange" not in document and ("LeaseToken" in document or "PartitionId" in document)


def _holder(leases: Iterable[Lease], effective_key: str) -> Lease | None:
    found = (each for each in leases if each.range and each.range.holds(effective_key))
    return next(found, None)
