"""The timer trigger: of several hosts that share a database, one runs a timer at a time."""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING
from uuid import uuid4

from azure.functions.timer import TimerRequest

from local.host.invocation import InvocationResult, pause
from local.host.lease_store import RETRYABLE_ERRORS, LeaseLostError, LeaseStore
from local.host.leases import Lease, timestamp
from local.host.owned_lease import OwnedLease

if TYPE_CHECKING:
    from local.host.bindings import TimerTrigger
    from local.host.invocation import Invoker
    from local.host.leases import Json, LeaseIntervals
    from local.host.rest import CosmosRestClient
    from local.host.schedules import Schedule

logger = logging.getLogger(__name__)

_MAX_PAUSE_SECONDS = 3600.0


@dataclass(frozen=True, kw_only=True)
class TimerStatus:
    """The state of a schedule: the next occurrence, and the time after which it is the first."""

    last: datetime
    next: datetime

    @classmethod
    def from_lease(cls, lease: Lease) -> TimerStatus | None:
        """Return the status in the lock document, or None if it has none.

        Raises:
            LeaseFormatError: If it is invalid.
        """
        if "Next" not in lease.document:
            return None
        return cls(last=lease.time("Last"), next=lease.time("Next"))

    @classmethod
    def after(cls, schedule: Schedule, moment: datetime) -> TimerStatus:
        """Return the status whose next occurrence is the first after a time."""
        return cls(last=moment, next=schedule.after(moment))

    def resume(self, schedule: Schedule, now: datetime) -> TimerStatus:
        """Return the status with which a host continues.

        An occurrence that was missed while no host was running remains the next one, unless the
        schedule has changed since.
        """
        is_same = schedule.after(self.last) == self.next
        return self if is_same else TimerStatus.after(schedule, now)

    def to_dict(self) -> Json:
        """Return the status as in the lock document and in the function's argument."""
        return {"Last": timestamp(self.last), "Next": timestamp(self.next)}


class Timer:
    """Runs one timer while this host owns its lock, which is a lease.

    Args:
        trigger: The trigger as the app declares it.
        rest: The client of the account with the lock.
        container: The link of the container with the lock.
        intervals: The intervals of the lock.
        invoker: The object that calls the function.
    """

    def __init__(
        self,
        trigger: TimerTrigger,
        rest: CosmosRestClient,
        container: str,
        intervals: LeaseIntervals,
        invoker: Invoker,
    ) -> None:
        self._trigger = trigger
        self._rest = rest
        self._id = f"timer.{trigger.function.name}"
        self._store = LeaseStore(rest, container, self._id, str(uuid4()))
        self._intervals = intervals
        self._invoker = invoker
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        """Acquire the lock and run the timer, until `stop`."""
        name = self._trigger.function.name
        try:
            while not self._stopping.is_set():
                try:
                    await self._run_with_lock()
                except LeaseLostError:
                    logger.info("timer.lock_lost function=%s", name)
                except RETRYABLE_ERRORS as error:
                    logger.warning("timer.start_failed function=%s error=%s", name, error)
                await pause(self._stopping, self._intervals.acquire)
        finally:
            await self._rest.close()

    def stop(self) -> None:
        """Request a stop after a running call."""
        self._stopping.set()

    async def _run_with_lock(self) -> None:
        """Run the timer unless another host does, until the lock is lost or the host stops."""
        document = await self._store.read(self._id)
        if document is None:
            await self._store.create(_new_lock(self._id))
            document = await self._store.read(self._id)
        if document is None:
            return
        lease = Lease.from_document(document)
        if not lease.is_expired(datetime.now(timezone.utc), self._intervals):
            return
        lock = OwnedLease(
            self._store, await self._store.acquire(lease), self._trigger.function.name
        )
        logger.info(
            "lease.acquired function=%s lease_token=%s previous_owner=%s", *lock.name, lease.owner
        )
        await lock.run(self._run_schedule(lock), self._intervals.renew)

    async def _run_schedule(self, lock: OwnedLease) -> None:
        now = datetime.now(timezone.utc)
        schedule = self._trigger.schedule
        is_monitored = self._trigger.use_monitor and not schedule.occurs_within_a_minute(now)
        stored = TimerStatus.from_lease(lock.lease) if is_monitored else None
        status = stored.resume(schedule, now) if stored else TimerStatus.after(schedule, now)
        if status.next < now or self._trigger.run_on_startup:
            status = await self._fire(lock, status, now, is_past_due=status.next < now)
        elif is_monitored:
            await lock.update(**status.to_dict())
        while not await self._pause_until(status.next):
            now = max(status.next, datetime.now(timezone.utc))
            status = await self._fire(lock, status, now)

    async def _fire(
        self, lock: OwnedLease, status: TimerStatus, now: datetime, *, is_past_due: bool = False
    ) -> TimerStatus:
        """Call the function, and return the status after it, computed from the time of the call."""
        request = TimerRequest(
            past_due=is_past_due,
            schedule_status={**status.to_dict(), "LastUpdated": timestamp(status.last)},
            schedule={"AdjustForDST": True},
        )
        started = time.monotonic()
        with lock.uninterruptible():
            result = await self._invoker.deliver(self._trigger, lambda: request, self._pause)
        if result is InvocationResult.STOPPED:
            return status
        milliseconds = (time.monotonic() - started) * 1000
        logger.info(
            "timer.fired function=%s duration_ms=%.0f", self._trigger.function.name, milliseconds
        )
        following = TimerStatus.after(self._trigger.schedule, now)
        await lock.update(**following.to_dict())
        return following

    async def _pause_until(self, moment: datetime) -> bool:
        while (seconds := (moment - datetime.now(timezone.utc)).total_seconds()) > 0:
            if await self._pause(min(seconds, _MAX_PAUSE_SECONDS)):
                return True
        return self._stopping.is_set()

    async def _pause(self, seconds: float) -> bool:
        return await pause(self._stopping, seconds)


def _new_lock(document_id: str) -> Json:
    return {"id": document_id, "LeaseToken": "timer", "Owner": None, "timestamp": None}
