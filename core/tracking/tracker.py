"""The progress of projection modules, read from their leases."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from core.cosmos.clock import host_time
from core.ids import FAN_OUT_PROGRESS_PREFIX
from core.tracking.lease_reader import CONFIRMATION_SECONDS, LeaseReader
from core.tracking.lease_sets import LeaseSet, lacks_range, lease_sets
from core.tracking.leases import lease_prefix
from core.tracking.status import EventStatus, ModuleStatus

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import datetime

    from core.cosmos.container import Container
    from core.throttling.deadline import Deadline
    from core.tracking.change_feed import ChangeFeed, SeenEvent


@dataclass(frozen=True, kw_only=True)
class Observation:
    """What leases and change feed showed at one time.

    Attributes:
        modules: The status of each module that was asked for.
        lease_sets: The leases by module, including modules that the application does not have.
        documents: All documents of the lease container except the progress of fan-outs.
    """

    modules: tuple[ModuleStatus, ...]
    lease_sets: Mapping[str, LeaseSet]
    documents: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True, kw_only=True)
class ProgressTracker:
    """Reads leases and probes the change feed; writes nothing.

    Every method raises DeadlineExceededError if the deadline is reached, and CosmosError if Cosmos
    DB returns an error that is not retryable. What is wrong with one lease is a fault of its own,
    and the others are read.

    Attributes:
        feed: The change feed of the events container.
        leases: The lease container.
        now: The function that returns the time.
    """

    feed: ChangeFeed
    leases: Container
    now: Callable[[], datetime] = host_time

    async def observe(self, modules: Iterable[str], deadline: Deadline) -> Observation:
        """Return the leases of modules with their lag."""
        rid = await self.feed.rid(deadline)
        documents, by_module = await self._read("", rid, deadline)
        if any(leases.is_doubtful for leases in by_module.values()):
            await asyncio.sleep(CONFIRMATION_SECONDS)
            documents, by_module = await self._read("", rid, deadline)
        reader = LeaseReader(feed=self.feed, rid=rid, deadline=deadline, now=self.now)
        return Observation(
            modules=tuple(
                await asyncio.gather(
                    *(_module_status(name, by_module.get(name), reader) for name in modules)
                )
            ),
            lease_sets=by_module,
            documents=tuple(documents),
        )

    async def has_checkpoint(self, module: str, deadline: Deadline) -> bool:
        """Return whether a lease of a module is past the beginning."""
        rid = await self.feed.rid(deadline)
        leases = await self._leases_of(module, rid, deadline)
        return leases is not None and any(one.checkpoint is not None for one in leases.leases)

    async def event_status(self, module: str, event: SeenEvent, deadline: Deadline) -> EventStatus:
        """Return whether a module has processed an event, which includes parking it.

        It has if the change feed does not contain the event after the checkpoint of its lease. If
        no lease covers the event, or something is wrong with the lease, that is not known.
        """
        key_range = await self.feed.key_range_of(event.stream_id, deadline)
        rid = await self.feed.rid(deadline)
        leases = await self._leases_of(module, rid, deadline)
        covering = leases.covering(key_range.start) if leases else []
        lease = min(covering, key=lambda one: len(one.faults), default=None)
        processed, reason = (None, "uncovered") if leases and leases.leases else (False, None)
        if lease is not None:
            reader = LeaseReader(feed=self.feed, rid=rid, deadline=deadline, now=self.now)
            processed, fault = await reader.is_past(lease, key_range, event)
            reason = fault.value if fault else None
        return EventStatus(
            module=module,
            stream_id=event.stream_id,
            event_id=event.id,
            processed=processed,
            reason=reason,
            lease_token=lease.token if lease else None,
        )

    async def _leases_of(self, module: str, rid: str, deadline: Deadline) -> LeaseSet | None:
        _, by_module = await self._read(lease_prefix(module), rid, deadline)
        return by_module.get(module)

    async def _read(
        self, prefix: str, rid: str, deadline: Deadline
    ) -> tuple[list[dict[str, Any]], dict[str, LeaseSet]]:
        """Return the documents whose ids have a prefix, and the leases among them by module."""
        documents = await self.leases.query(
            "reading the leases",
            "SELECT * FROM c WHERE STARTSWITH(c.id, @prefix) AND NOT STARTSWITH(c.id, @progress)",
            {"@prefix": prefix, "@progress": FAN_OUT_PROGRESS_PREFIX},
            deadline,
        )
        partitions = await self.feed.partitions(deadline)
        some_lack_range = any(lacks_range(document) for document in documents)
        ranges = await self.feed.ranges_by_id(deadline) if some_lack_range else {}
        return documents, lease_sets(documents, rid, partitions, ranges, self.now())


async def _module_status(module: str, leases: LeaseSet | None, reader: LeaseReader) -> ModuleStatus:
    if leases is None:
        return ModuleStatus.from_leases(module, [], 0)
    statuses = await asyncio.gather(
        *(reader.status(lease, leases.partitions) for lease in leases.leases)
    )
    return ModuleStatus.from_leases(module, statuses, len(leases.uncovered))
