"""The tracker: what each projection module has completely processed, read from its leases."""

from __future__ import annotations

import asyncio
import base64
import json
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from core.cosmos import cosmos_errors
from core.errors import LeaseError, NotFoundError, UnknownNameError
from core.leases import (
    KeyRange,
    Lag,
    Lease,
    LeaseState,
    Probe,
    belongs,
    current,
    lag,
    lease_prefix,
    pieces,
    session_lsn,
    total,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Mapping

    from azure.cosmos.aio import ContainerProxy

_PROBES_AT_ONCE = 8
_PAGE = 100


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
    """A projection module over all its leases; without any, its trigger has never started."""

    name: str
    leases: tuple[LeaseStatus, ...]

    @property
    def lag(self) -> Lag:
        """Over all leases."""
        return total(each.lag for each in self.leases)

    @property
    def caught_up(self) -> bool:
        """Whether everything that is stored was processed when it was looked at."""
        return bool(self.leases) and self.lag.caught_up

    def as_json(self) -> dict[str, Any]:
        """All that is known, by name; the lag is null where there are no leases to tell it."""
        return {
            "name": self.name,
            "caught_up": self.caught_up,
            "lag_transactions": self.lag.transactions if self.leases else None,
            "lag_seconds": round(self.lag.seconds, 1) if self.leases else None,
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
        events: The monitored container.
        leases: The lease container.
    """

    events: ContainerProxy
    leases: ContainerProxy

    async def status(self, module: str) -> ModuleStatus:
        """How far a module is.

        Raises:
            CosmosError: It cannot be read.
            LeaseError: A lease document or an answer is not as documented.
        """
        partitions = await self._partitions()
        rid = await self._rid()
        found = [each async for each in self._leases(module, rid)]
        slots = asyncio.Semaphore(_PROBES_AT_ONCE)

        async def look(lease: Lease) -> LeaseStatus:
            async with slots:
                return await self._look(lease, partitions, rid)

        statuses = await asyncio.gather(*(look(each) for each in current(found, partitions)))
        return ModuleStatus(name=module, leases=tuple(statuses))

    async def event(self, module: str, stream_id: str, event_id: str) -> EventStatus:
        """Whether a module has completely processed an event, be it by parking it.

        It has when the event does not come any more behind the checkpoint of its lease.

        Raises:
            UnknownNameError: There is no such event.
            CosmosError: It cannot be read.
        """
        await self._require(stream_id, event_id)
        place = await self._place(stream_id)
        partitions = await self._partitions()
        rid = await self._rid()
        found = [each async for each in self._leases(module, rid)]
        lease = _holder(current(found, partitions), place.low)
        processed = (
            lease is not None
            and lease.checkpoint is not None
            and not await self._comes_after(lease.checkpoint, place, rid, (stream_id, event_id))
        )
        return EventStatus(
            module=module,
            stream_id=stream_id,
            event_id=event_id,
            processed=processed,
            lease=lease.token if lease else None,
        )

    async def _leases(self, module: str, rid: str) -> AsyncIterator[Lease]:
        with cosmos_errors(f"reading the leases of {module}"):
            items = self.leases.query_items(
                "SELECT * FROM c WHERE STARTSWITH(c.id, @prefix)",
                parameters=[{"name": "@prefix", "value": lease_prefix(module)}],
            )
            documents = [item async for item in items]
        by_id = {document["id"]: document for document in documents}
        bare = any(_lacks_range(each) for each in documents)
        ranges = await self._ranges_by_id() if bare else {}
        for lease_id, document in sorted(by_id.items()):
            lease = Lease.read(document) if belongs(lease_id, module, rid) else None
            if lease is not None:
                known = lease.range or ranges.get(lease.token)
                yield replace(lease, range=known)

    async def _look(self, lease: Lease, partitions: list[KeyRange], rid: str) -> LeaseStatus:
        now = datetime.now(timezone.utc)
        probes = [
            await self._probe(lease.checkpoint, piece, rid) for piece in pieces(lease, partitions)
        ]
        return LeaseStatus(
            lease=lease, state=lease.state(now), lag=total(lag(probe, now) for probe in probes)
        )

    async def _probe(self, checkpoint: str | None, place: KeyRange, rid: str) -> Probe:
        headers: dict[str, str] = {}
        first: dict[str, Any] = {}
        async for item in self._changes(checkpoint, place, rid, headers, limit=1):
            first = item
            break
        if "x-ms-session-token" not in headers:
            raise LeaseError(f"The feed of {place.low}-{place.high} came without a session token.")
        if first and not isinstance(first.get("_lsn"), int):
            raise LeaseError(f"The feed of {place.low}-{place.high} has an item without _lsn.")
        return Probe(
            session_lsn=session_lsn(headers["x-ms-session-token"]),
            first_lsn=first.get("_lsn"),
            first_time=first.get("_ts"),
        )

    async def _comes_after(
        self, checkpoint: str, place: KeyRange, rid: str, event: tuple[str, str]
    ) -> bool:
        changes = self._changes(checkpoint, place, rid, {}, limit=_PAGE)
        async for item in changes:
            if (item.get("streamId"), item.get("id")) == event:
                return True
        return False

    async def _changes(
        self,
        checkpoint: str | None,
        place: KeyRange,
        rid: str,
        headers: dict[str, str],
        *,
        limit: int,
    ) -> AsyncIterator[dict[str, Any]]:
        """Items behind a checkpoint; the headers of the first answer are noted."""

        def note(answered: Mapping[str, str], _: object) -> None:
            if not headers:
                headers.update({name.lower(): value for name, value in answered.items()})

        if checkpoint is None:
            start: dict[str, Any] = {"start_time": "Beginning", "feed_range": _feed_range(place)}
        else:
            start = {"continuation": continuation(checkpoint, place, rid)}
        with cosmos_errors(f"reading the change feed of {place.low}-{place.high}"):
            items = self.events.query_items_change_feed(
                max_item_count=limit, response_hook=note, **start
            )
            async for item in items:
                yield item

    async def _partitions(self) -> list[KeyRange]:
        with cosmos_errors("reading the physical partitions"):
            ranges = self.events.read_feed_ranges(force_refresh=True)
            return [_key_range(each["Range"]) async for each in ranges]

    async def _ranges_by_id(self) -> dict[str, KeyRange]:
        """Physical partitions by id, for leases of old versions, which name nothing else."""
        found: dict[str, KeyRange] = {}

        def note(response: Any) -> None:  # noqa: ANN401 - azure-core's pipeline response
            for each in json.loads(response.http_response.text()).get("PartitionKeyRanges", ()):
                found[each["id"]] = KeyRange(low=each["minInclusive"], high=each["maxExclusive"])

        with cosmos_errors("reading the physical partitions"):
            ranges = self.events.read_feed_ranges(force_refresh=True, raw_response_hook=note)
            async for _ in ranges:
                pass
        return found

    async def _rid(self) -> str:
        with cosmos_errors("reading the events container"):
            return str((await self.events.read())["_rid"])

    async def _place(self, stream_id: str) -> KeyRange:
        """The stream's own part of the key space: one effective partition key."""
        with cosmos_errors(f"locating stream {stream_id}"):
            found = await self.events.feed_range_from_partition_key(stream_id)
        low = str(found["Range"]["min"])
        return KeyRange(low=low, high=f"{int(low, 16) + 1:0{len(low)}X}")

    async def _require(self, stream_id: str, event_id: str) -> None:
        try:
            with cosmos_errors(f"reading event {event_id}", absent=NotFoundError):
                await self.events.read_item(event_id, stream_id)
        except NotFoundError:
            raise UnknownNameError(
                f"There is no event {event_id!r} in stream {stream_id!r}."
            ) from None


def continuation(checkpoint: str, place: KeyRange, rid: str) -> str:
    """The SDK's continuation (version 2) that begins behind a lease's checkpoint.

    The form is the SDK's own and not published; `requirements.txt` bounds its version.
    """
    span = _feed_range(place)["Range"]
    content = {
        "v": "v2",
        "containerRid": rid,
        "mode": "LatestVersion",
        "startFrom": {"Type": "Beginning"},
        "continuation": {
            "v": "v2",
            "rid": rid,
            "continuation": [{"token": checkpoint, "range": span}],
            "Range": span,
        },
    }
    return base64.b64encode(json.dumps(content).encode()).decode()


def _feed_range(place: KeyRange) -> dict[str, Any]:
    return {
        "Range": {
            "min": place.low,
            "max": place.high,
            "isMinInclusive": True,
            "isMaxInclusive": False,
        }
    }


def _key_range(span: Mapping[str, Any]) -> KeyRange:
    return KeyRange(low=str(span["min"]), high=str(span["max"]))


def _lacks_range(document: Mapping[str, Any]) -> bool:
    return "FeedRange" not in document and ("LeaseToken" in document or "PartitionId" in document)


def _holder(leases: Iterable[Lease], effective_key: str) -> Lease | None:
    found = (each for each in leases if each.range and each.range.holds(effective_key))
    return next(found, None)
