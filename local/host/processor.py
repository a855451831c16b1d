"""The change feed processor of one Cosmos trigger, which acquires its share of the leases."""

from __future__ import annotations

import asyncio
import functools
import logging
from datetime import datetime, timezone
from typing import TYPE_CHECKING
from uuid import uuid4

from local.host.feed import ChangeFeedReader
from local.host.invocation import pause
from local.host.lease_store import RETRYABLE_ERRORS, LeaseLostError, LeaseStore
from local.host.leases import Lease, lease_prefix, leases_to_acquire
from local.host.owned_lease import OwnedLease
from local.host.rest import CosmosRestClient, CosmosRestError
from local.host.worker import LeaseWorker

if TYPE_CHECKING:
    from local.host.bindings import CosmosTrigger
    from local.host.invocation import Invoker
    from local.host.leases import LeaseIntervals
    from local.host.settings import Account

logger = logging.getLogger(__name__)

_NOT_FOUND = 404
_RETRY_DELAY_SECONDS = 1.0


class ChangeFeedProcessor:
    """Runs one trigger until it is stopped, with a worker for each lease that it owns.

    Args:
        trigger: The trigger as the app declares it.
        account: The account of the monitored container.
        lease_account: The account of the lease container.
        intervals: The intervals of the leases.
        invoker: The object that calls the function.
        rewrites_dates: Whether dates are passed on as the extension writes them.
    """

    def __init__(
        self,
        trigger: CosmosTrigger,
        account: Account,
        lease_account: Account,
        intervals: LeaseIntervals,
        invoker: Invoker,
        *,
        rewrites_dates: bool,
    ) -> None:
        self._trigger = trigger
        self._intervals = intervals
        self._endpoint = account.endpoint
        self._invoker = invoker
        self._rewrites_dates = rewrites_dates
        self._clients = (CosmosRestClient(account), CosmosRestClient(lease_account))
        self._feed = ChangeFeedReader(
            self._clients[0],
            f"dbs/{trigger.database}/colls/{trigger.container}",
            max_items=trigger.max_items,
            from_beginning=trigger.start_from_beginning,
        )
        self._workers: dict[str, asyncio.Task[None]] = {}
        self._stopping = asyncio.Event()
        self._rebalance = asyncio.Event()

    async def run(self) -> None:
        """Run until `stop`; log errors of the database, and retry."""
        try:
            store = await self._open_store()
            while store is not None and not self._stopping.is_set():
                self._rebalance.clear()
                await self._acquire_share(store)
                await pause(self._rebalance, self._intervals.acquire)
        finally:
            await self._end()

    def stop(self) -> None:
        """Request a stop after the batches in flight."""
        self._stopping.set()
        self._rebalance.set()

    async def _open_store(self) -> LeaseStore | None:
        """Return the store with all leases created, or None on a stop."""
        logged = ""
        while not self._stopping.is_set():
            try:
                return await self._bootstrap_store()
            except CosmosRestError as error:
                problem = f"{error}{self._remedy() if error.status == _NOT_FOUND else ''}"
            if problem != logged:
                logger.warning(
                    "trigger.start_failed function=%s error=%s",
                    *(self._trigger.function.name, problem),
                )
                logged = problem
            await pause(self._stopping, _RETRY_DELAY_SECONDS)
        return None

    async def _bootstrap_store(self) -> LeaseStore:
        prefix = lease_prefix(self._trigger.lease_prefix, self._endpoint, await self._feed.rid())
        store = LeaseStore(self._clients[1], self._trigger.lease_link, prefix, str(uuid4()))
        await store.bootstrap(await self._feed.partitions())
        return store

    async def _acquire_share(self, store: LeaseStore) -> None:
        """Acquire the leases that this host should own after this round."""
        now = datetime.now(timezone.utc)
        try:
            leases = await store.leases()
        except CosmosRestError as error:
            logger.warning(
                "lease.list_failed function=%s error=%s", self._trigger.function.name, error
            )
            return
        for lease in leases_to_acquire(leases, store.owner, now, self._intervals):
            if lease.id not in self._workers:
                await self._acquire(store, lease)

    async def _acquire(self, store: LeaseStore, lease: Lease) -> None:
        name = (self._trigger.function.name, lease.token)
        try:
            acquired = await store.acquire(lease)
        except LeaseLostError:
            return
        except RETRYABLE_ERRORS as error:
            logger.warning(
                "lease.acquisition_failed function=%s lease_token=%s error=%s", *name, error
            )
            return
        logger.info(
            "lease.acquired function=%s lease_token=%s previous_owner=%s", *name, lease.owner
        )
        worker = LeaseWorker(
            self._trigger,
            self._feed,
            OwnedLease(store, acquired, self._trigger.function.name),
            self._invoker,
            self._stopping,
            rewrites_dates=self._rewrites_dates,
        )
        task = asyncio.create_task(worker.run(self._intervals.renew), name=f"lease {lease.token}")
        self._workers[lease.id] = task
        task.add_done_callback(functools.partial(self._remove, lease.id, worker))

    def _remove(self, lease_id: str, worker: LeaseWorker, _: asyncio.Task[None]) -> None:
        self._workers.pop(lease_id, None)
        if worker.has_replaced_lease:
            self._rebalance.set()

    async def _end(self) -> None:
        """Wait for the workers; if canceled, cancel them, so that they release their leases."""
        workers = list(self._workers.values())
        try:
            if workers:
                await asyncio.wait(workers)
        finally:
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)
            for client in self._clients:
                await client.close()

    def _remedy(self) -> str:
        trigger = self._trigger
        return (
            f" The trigger needs container {trigger.container} in database {trigger.database}, "
            f"and lease container {trigger.lease_container} in database {trigger.lease_database}. "
            "Create them with `python -m admin init`."
        )
