"""One timer at work: of several hosts over one database, one runs it."""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING
from uuid import uuid4

from azure.functions.timer import TimerRequest

from local.host.held import HeldLease
from local.host.invocation import Result, pause
from local.host.leases import Lease, timestamp
from local.host.leasestore import UNUSABLE, LeaseLostError, LeaseStore

if TYPE_CHECKING:
    from local.host.bindings import TimerTrigger
    from local.host.invocation import Invoker
    from local.host.leases import Json, LeaseTiming
    from local.host.rest import CosmosRest
    from local.host.schedules import Schedule

logger = logging.getLogger(__name__)

_MAX_PAUSE_SECONDS = 3600.0


@dataclass(frozen=True, kw_only=True)
class TimerStatus:
    """A schedule's state: the next occurrence, and the moment after which it is the first one."""

    last: datetime
    next: datetime

    @classmethod
    def from_lease(cls, lease: Lease) -> TimerStatus | None:
        """Return the status that the lock document holds, None where it holds none.

        Raises:
            LeaseFormatError: If it cannot be read.
        """
        if "Next" not in lease.document:
            return None
        return cls(last=lease.time("Last"), next=lease.time("Next"))

    @classmethod
    def after(cls, schedule: Schedule, moment: datetime) -> TimerStatus:
        """Return the status with the first occurrence after a moment."""
        return cls(last=moment, next=schedule.after(moment))

    def resumed(self, schedule: Schedule, now: datetime) -> TimerStatus:
        """Return the status with which a host goes on.

        An occurrence that was missed while no host ran stays the next one. Where the schedule was
        changed meanwhile, nothing was missed.
        """
        is_same = schedule.after(self.last) == self.next
        return self if is_same else TimerStatus.after(schedule, now)

    def to_dict(self) -> Json:
        """Return the status as the lock document and the function's argument hold it."""
        return {"Last": timestamp(self.last), "Next": timestamp(self.next)}


class Timer:
    """Runs one timer whenever this host holds its lock.

    Args:
        trigger: The trigger as the app declares it.
        rest: The account of the container with the lock.
        container: The link of that container.
        timing: The intervals of the lock.
        invoker: What calls the function.
    """

    def __init__(
        self,
        trigger: TimerTrigger,
        rest: CosmosRest,
        container: str,
        timing: LeaseTiming,
        invoker: Invoker,
    ) -> None:
        self._trigger = trigger
        self._rest = rest
        self._id = f"timer.{trigger.function.name}"
        self._store = LeaseStore(rest, container, self._id, str(uuid4()))
        self._timing = timing
        self._invoker = invoker
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        """Wait for the lock and run the timer, until `stop`."""
        name = self._trigger.function.name
        try:
            while not self._stopping.is_set():
                try:
                    await self._run_if_free()
                except LeaseLostError:
                    logger.info("timer.taken function=%s", name)
                except UNUSABLE as error:
                    logger.warning("timer.waiting function=%s %s", name, error)
                await pause(self._stopping, self._timing.acquire)
        finally:
            await self._rest.close()

    def stop(self) -> None:
        """Ask to stop once the function has ended."""
        self._stopping.set()

    async def _run_if_free(self) -> None:
        """Run the timer if no other host does, until the lock is lost or the host stops."""
        document = await self._store.read(self._id)
        if document is None:
            await self._store.create(_new_lock(self._id))
            document = await self._store.read(self._id)
        if document is None:
            return
        lease = Lease.from_document(document)
        if not lease.expired(datetime.now(timezone.utc), self._timing):
            return
        held = HeldLease(self._store, await self._store.acquire(lease), self._trigger.function.name)
        logger.info("lease.acquired function=%s lease=%s from=%s", *held.name, lease.owner)
        await held.hold(self._keep_time(held), self._timing.renew)

    async def _keep_time(self, held: HeldLease) -> None:
        now = datetime.now(timezone.utc)
        schedule = self._trigger.schedule
        is_monitored = self._trigger.use_monitor and not schedule.occurs_within_a_minute(now)
        stored = TimerStatus.from_lease(held.lease) if is_monitored else None
        status = stored.resumed(schedule, now) if stored else TimerStatus.after(schedule, now)
        if status.next < now or self._trigger.run_on_startup:
            status = await self._fire(held, status, now, is_past_due=status.next < now)
        elif is_monitored:
            await held.update(**status.to_dict())
        while not await self._pause_until(status.next):
            now = max(status.next, datetime.now(timezone.utc))
            status = await self._fire(held, status, now)

    async def _fire(
        self, held: HeldLease, status: TimerStatus, now: datetime, *, is_past_due: bool = False
    ) -> TimerStatus:
        """Call the function; return the status after that, computed from when it was called."""
        request = TimerRequest(
            past_due=is_past_due,
            schedule_status={**status.to_dict(), "LastUpdated": timestamp(status.last)},
            schedule={"AdjustForDST": True},
        )
        started = time.monotonic()
        with held.busy():
            result = await self._invoker.deliver(self._trigger, lambda: request, self._pause)
        if result is Result.STOPPED:
            return status
        milliseconds = (time.monotonic() - started) * 1000
        logger.info("timer.fired function=%s ms=%.0f", self._trigger.function.name, milliseconds)
        following = TimerStatus.after(self._trigger.schedule, now)
        await held.update(**following.to_dict())
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
