"""One Cosmos trigger at work: takes its share of the leases, each of which a worker works on."""

from __future__ import annotations

import asyncio
import functools
import logging
from datetime import datetime, timezone
from typing import TYPE_CHECKING
from uuid import uuid4

from local.host.feed import Feed
from local.host.held import HeldLease
from local.host.invocation import pause
from local.host.leases import Lease, lease_prefix, to_take
from local.host.leasestore import UNUSABLE, LeaseLostError, LeaseStore
from local.host.rest import CosmosError, CosmosRest
from local.host.worker import LeaseWorker

if TYPE_CHECKING:
    from local.host.bindings import CosmosTrigger
    from local.host.invocation import Invoker
    from local.host.leases import LeaseTiming
    from local.host.settings import Account

logger = logging.getLogger(__name__)

_NOT_FOUND = 404
_RETRY_SECONDS = 1.0


class Processor:
    """Runs one trigger until it is stopped.

    Args:
        trigger: The trigger as the app declares it.
        account: The account of the monitored container.
        lease_account: The account of the lease container.
        timing: The intervals of the leases.
        invoker: What calls the function.
        rewrites_dates: Whether dates are handed over as the extension writes them.
    """

    def __init__(
        self,
        trigger: CosmosTrigger,
        account: Account,
        lease_account: Account,
        timing: LeaseTiming,
        invoker: Invoker,
        *,
        rewrites_dates: bool,
    ) -> None:
        self._trigger = trigger
        self._timing = timing
        self._endpoint = account.endpoint
        self._invoker = invoker
        self._rewrites_dates = rewrites_dates
        self._rests = (CosmosRest(account), CosmosRest(lease_account))
        self._feed = Feed(
            self._rests[0],
            f"dbs/{trigger.database}/colls/{trigger.container}",
            max_items=trigger.max_items,
            from_beginning=trigger.start_from_beginning,
        )
        self._working: dict[str, asyncio.Task[None]] = {}
        self._stopping = asyncio.Event()
        self._rebalance = asyncio.Event()

    async def run(self) -> None:
        """Work until `stop`; whatever the database answers is logged, and tried again."""
        try:
            store = await self._prepare()
            while store is not None and not self._stopping.is_set():
                self._rebalance.clear()
                await self._balance(store)
                await pause(self._rebalance, self._timing.acquire)
        finally:
            await self._finish()

    def stop(self) -> None:
        """Ask to stop once the batches in flight are done."""
        self._stopping.set()
        self._rebalance.set()

    async def _prepare(self) -> LeaseStore | None:
        """Return the store of the leases, created where they are missing; None on a stop."""
        logged = ""
        while not self._stopping.is_set():
            try:
                return await self._bootstrapped()
            except CosmosError as error:
                problem = f"{error}{self._advice() if error.status == _NOT_FOUND else ''}"
            if problem != logged:
                logger.warning(
                    "trigger.waiting function=%s %s", *(self._trigger.function.name, problem)
                )
                logged = problem
            await pause(self._stopping, _RETRY_SECONDS)
        return None

    async def _bootstrapped(self) -> LeaseStore:
        prefix = lease_prefix(self._trigger.lease_prefix, self._endpoint, await self._feed.rid())
        store = LeaseStore(self._rests[1], self._trigger.lease_link, prefix, str(uuid4()))
        await store.bootstrap(await self._feed.partitions())
        return store

    async def _balance(self, store: LeaseStore) -> None:
        """Take the leases that a round of balancing gives to this host."""
        now = datetime.now(timezone.utc)
        try:
            leases = await store.leases()
        except CosmosError as error:
            logger.warning("trigger.waiting function=%s %s", self._trigger.function.name, error)
            return
        for lease in to_take(leases, store.owner, now, self._timing):
            if lease.id not in self._working:
                await self._take(store, lease)

    async def _take(self, store: LeaseStore, lease: Lease) -> None:
        name = (self._trigger.function.name, lease.token)
        try:
            acquired = await store.acquire(lease)
        except LeaseLostError:
            return
        except UNUSABLE as error:
            logger.warning("lease.not_acquired function=%s lease=%s %s", *name, error)
            return
        logger.info("lease.acquired function=%s lease=%s from=%s", *name, lease.owner)
        worker = LeaseWorker(
            self._trigger,
            self._feed,
            HeldLease(store, acquired, self._trigger.function.name),
            self._invoker,
            self._stopping,
            rewrites_dates=self._rewrites_dates,
        )
        task = asyncio.create_task(worker.run(self._timing.renew), name=f"lease {lease.token}")
        self._working[lease.id] = task
        task.add_done_callback(functools.partial(self._forget, lease.id, worker))

    def _forget(self, lease_id: str, worker: LeaseWorker, _: asyncio.Task[None]) -> None:
        self._working.pop(lease_id, None)
        if worker.has_replaced_lease:
            self._rebalance.set()

    async def _finish(self) -> None:
        """Wait for the workers; a cancellation ends them, and they release their leases."""
        workers = list(self._working.values())
        try:
            if workers:
                await asyncio.wait(workers)
        finally:
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)
            for rest in self._rests:
                await rest.close()

    def _advice(self) -> str:
        trigger = self._trigger
        return (
            f" It needs container {trigger.container} in database {trigger.database} and lease "
            f"container {trigger.lease_container} in database {trigger.lease_database}. Create "
            "them with `python -m admin init`."
        )
