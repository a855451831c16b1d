"""The lag of single leases, each read under its own guard."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from core.errors import (
    CosmosError,
    DeadlineExceededError,
    LeaseFormatError,
    RejectedByCosmosError,
)
from core.tracking.lag import is_ahead, lag_of, total_lag
from core.tracking.lease_sets import split_by_partition
from core.tracking.leases import LeaseFault
from core.tracking.status import LeaseStatus

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from core.cosmos.key_ranges import KeyRange
    from core.errors import EngineError
    from core.throttling.deadline import Deadline
    from core.tracking.change_feed import ChangeFeed, SeenEvent
    from core.tracking.lag import FeedProbe, Lag
    from core.tracking.leases import Lease

_MAX_CONCURRENT_PROBES = 8
_PROBE_TIMEOUT_SECONDS = 10.0
"""The seconds after which the lag of one lease is unknown, so that the others are still shown."""

CONFIRMATION_SECONDS = 1.0
"""The seconds after which what looks wrong is read again: a replica lags, or a split takes time."""


@dataclass(frozen=True, kw_only=True)
class LeaseReader:
    """Reads what comes after the checkpoints of leases.

    Attributes:
        feed: The change feed of the events container.
        rid: The resource id of that container.
        deadline: The time by which everything must be read.
        now: The function that returns the time.
        slots: What bounds the concurrent requests.
    """

    feed: ChangeFeed
    rid: str
    deadline: Deadline
    now: Callable[[], datetime]
    slots: asyncio.Semaphore = field(
        default_factory=lambda: asyncio.Semaphore(_MAX_CONCURRENT_PROBES)
    )

    async def status(self, lease: Lease, partitions: Sequence[KeyRange]) -> LeaseStatus:
        """Return the status of a lease, whatever is wrong with it."""
        now = self.now()
        lag, fault = await self._lag(lease, partitions, now)
        return LeaseStatus.from_lease(lease, now, lag, *([fault] if fault else []))

    async def is_past(
        self, lease: Lease, key_range: KeyRange, event: SeenEvent
    ) -> tuple[bool | None, LeaseFault | None]:
        """Return whether everything up to an event is processed.

        It is not known if something is wrong with the lease, which is returned as well, or if the
        feed is read from a replica that may not have the event yet.
        """
        if lease.faults:
            return None, lease.faults[0]
        if lease.checkpoint is None:
            return False, None
        try:
            is_pending = await self.feed.contains_after(
                lease.checkpoint, key_range, self.rid, event, self.deadline
            )
            if is_pending is None:
                return None, LeaseFault.UNKNOWN
            if not is_pending and is_ahead(lease.lsn, await self._probe(lease, [key_range])):
                return None, LeaseFault.AHEAD
        except (RejectedByCosmosError, LeaseFormatError) as error:
            return None, _fault_of(error)
        return not is_pending, None

    async def _lag(
        self, lease: Lease, partitions: Sequence[KeyRange], now: datetime
    ) -> tuple[Lag | None, LeaseFault | None]:
        if lease.range is None or LeaseFault.TOKEN in lease.faults:
            return None, None if lease.faults else LeaseFault.UNKNOWN
        try:
            probes = await self._probe(lease, split_by_partition(lease, partitions))
        except (CosmosError, DeadlineExceededError, LeaseFormatError) as error:
            return None, _fault_of(error)
        if is_ahead(lease.lsn, probes):
            return None, LeaseFault.AHEAD
        return total_lag(lag_of(probe, now) for probe in probes), None

    async def _probe(self, lease: Lease, parts: Sequence[KeyRange]) -> list[FeedProbe]:
        """Return what comes after a checkpoint in each part of the key space.

        If the checkpoint is ahead of all of them, it is looked at again after a moment: a replica
        may not have yet what the trigger has read.
        """
        deadline = self.deadline.at_most(_PROBE_TIMEOUT_SECONDS)
        for is_last in (False, True):
            async with self.slots:
                probes = [
                    await self.feed.probe(lease.checkpoint, part, self.rid, deadline)
                    for part in parts
                ]
            if is_last or not is_ahead(lease.lsn, probes):
                break
            await asyncio.sleep(CONFIRMATION_SECONDS)
        return probes


def _fault_of(error: EngineError) -> LeaseFault:
    """Return what is wrong with a lease if reading after its checkpoint failed."""
    return LeaseFault.TOKEN if isinstance(error, RejectedByCosmosError) else LeaseFault.UNKNOWN
