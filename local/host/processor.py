"""One Cosmos trigger at work: holds leases, reads their feeds, calls the function, checkpoints."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import random
from datetime import datetime, timezone
from typing import TYPE_CHECKING
from uuid import uuid4

import azure.functions as func

from local.host.dates import rewrite_dates
from local.host.feed import Feed, Page, PartitionGoneError
from local.host.invocation import Attempt, call
from local.host.leases import Lease, lease_prefix, successors, to_take
from local.host.leasestore import LeaseLostError, LeaseStore
from local.host.rest import CosmosError, CosmosRest
from local.host.retries import delay
from local.host.settings import HostError

if TYPE_CHECKING:
    from local.host.bindings import CosmosTrigger
    from local.host.leases import LeaseTiming
    from local.host.settings import Account

logger = logging.getLogger(__name__)

_STOP_SECONDS = 10.0
_NOT_FOUND = 404


class Processor:
    """Runs one trigger until it is stopped.

    Args:
        trigger: As the app declares it.
        account: Of the monitored container.
        lease_account: Of the lease container.
        timing: Intervals of the leases.
        timeout: Seconds that an attempt may take; None for without limit.
        rewrites_dates: Whether dates are handed over as the extension writes them.
    """

    def __init__(
        self,
        trigger: CosmosTrigger,
        account: Account,
        lease_account: Account,
        timing: LeaseTiming,
        *,
        timeout: float | None,
        rewrites_dates: bool,
    ) -> None:
        self._timeout = timeout
        self._rewrites_dates = rewrites_dates
        self._trigger = trigger
        self._timing = timing
        self._endpoint = account.endpoint
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
        """Work until `stop`; a Cosmos DB that is away is waited for.

        Raises:
            HostError: The monitored container or the lease container does not exist.
        """
        try:
            store = await self._prepare()
            while store is not None and not self._stopping.is_set():
                self._rebalance.clear()
                with contextlib.suppress(CosmosError):
                    await self._balance(store)
                await self._pause(self._timing.acquire, self._rebalance)
        finally:
            await self._finish()

    def stop(self) -> None:
        """Ask to stop: batches in flight have ten seconds to end."""
        self._stopping.set()
        self._rebalance.set()

    async def _prepare(self) -> LeaseStore | None:
        while not self._stopping.is_set():
            try:
                return await self._bootstrapped()
            except CosmosError as error:
                if error.status == _NOT_FOUND:
                    raise HostError(self._missing()) from None
                logger.warning("trigger.waiting function=%s %s", self._trigger.function.name, error)
                await self._pause(1.0)
        return None

    async def _bootstrapped(self) -> LeaseStore:
        prefix = lease_prefix(self._trigger.lease_prefix, self._endpoint, await self._feed.rid())
        store = LeaseStore(
            self._rests[1],
            f"dbs/{self._trigger.lease_database}/colls/{self._trigger.lease_container}",
            prefix,
            str(uuid4()),
        )
        await store.bootstrap(await self._feed.partitions())
        return store

    async def _balance(self, store: LeaseStore) -> None:
        now = datetime.now(timezone.utc)
        leases = await store.leases()
        for lease in to_take(leases, store.owner, now, self._timing):
            if lease.id in self._working:
                continue
            try:
                acquired = await store.acquire(lease)
            except LeaseLostError:
                continue
            logger.info(
                "lease.acquired function=%s lease=%s from=%s",
                *(self._trigger.function.name, lease.token, lease.owner),
            )
            task = asyncio.create_task(self._hold(store, acquired), name=f"lease {lease.token}")
            self._working[lease.id] = task
            task.add_done_callback(functools.partial(self._forget, lease.id))

    def _forget(self, lease_id: str, _: asyncio.Task[None]) -> None:
        self._working.pop(lease_id, None)

    async def _hold(self, store: LeaseStore, lease: Lease) -> None:
        """Work on a lease and renew it, until it is lost, gone, or the host stops."""
        holding = _Holding(store, lease)
        work = asyncio.create_task(self._work(holding))
        renewal = asyncio.create_task(holding.renew_every(self._timing.renew))
        try:
            await asyncio.wait({work, renewal}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (work, renewal):
                task.cancel()
            results = await asyncio.gather(work, renewal, return_exceptions=True)
        for result in results:
            if isinstance(result, LeaseLostError):
                logger.info("lease.lost lease=%s", lease.token)
            elif isinstance(result, Exception):
                logger.error("lease.failed lease=%s", lease.token, exc_info=result)
        if not any(isinstance(result, LeaseLostError) for result in results):
            with contextlib.suppress(CosmosError):
                await store.release(holding.lease)

    async def _work(self, holding: _Holding) -> None:
        token = holding.lease.continuation
        while not self._stopping.is_set():
            try:
                page = await self._feed.read(holding.lease, token)
            except PartitionGoneError:
                await self._replace(holding, token)
                continue
            except CosmosError as error:
                logger.warning("feed.waiting lease=%s %s", holding.lease.token, error)
                await self._pause(self._trigger.poll_delay)
                continue
            if page.documents:
                if not await self._deliver(page):
                    return
                await holding.checkpoint(page.token)
            else:
                await self._pause(self._trigger.poll_delay)
            token = page.token

    async def _deliver(self, page: Page) -> bool:
        """Call the function, again and again if its policy says so; True if to be checkpointed."""
        function, policy = self._trigger.function, self._trigger.function.retry
        failures = 0
        while not await self._attempt(page, failures):
            failures += 1
            wait = delay(policy, failures, random.random()) if policy else None  # noqa: S311 - jitter
            if wait is None:
                logger.error(
                    "batch.lost function=%s documents=%d: no retry is left, and the trigger "
                    "checkpoints past a failed batch, as in Azure",
                    *(function.name, len(page.documents)),
                )
                return True
            await self._pause(wait)
            if self._stopping.is_set():
                return False
        return True

    async def _attempt(self, page: Page, failures: int) -> bool:
        function, policy = self._trigger.function, self._trigger.function.retry
        stored = rewrite_dates(page.documents) if self._rewrites_dates else page.documents
        documents = func.DocumentList(map(func.Document.from_dict, stored))
        attempt = Attempt(number=failures, most=policy.count if policy else 0)
        work = call(function.name, function.call, self._trigger.argument, documents, attempt)
        try:
            await asyncio.wait_for(work, self._timeout)
        except Exception:
            logger.exception(
                "function.failed function=%s attempt=%d documents=%d",
                *(function.name, failures + 1, len(page.documents)),
            )
            return False
        return True

    async def _replace(self, holding: _Holding, token: str | None) -> None:
        """Leases for the partitions that a split or a merge left in this one's place.

        Raises:
            LeaseLostError: This one is replaced; otherwise it stays as it is.
        """
        partitions = await self._feed.partitions()
        found = successors(holding.store.prefix, holding.lease, partitions, token)
        if not found:
            await self._pause(self._trigger.poll_delay)
            return
        for each in found:
            await holding.store.create(each)
        await holding.store.delete(holding.lease.id)
        self._rebalance.set()
        raise LeaseLostError(holding.lease.token)

    async def _pause(self, seconds: float, event: asyncio.Event | None = None) -> None:
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for((event or self._stopping).wait(), seconds)

    async def _finish(self) -> None:
        tasks = list(self._working.values())
        if tasks:
            _, pending = await asyncio.wait(tasks, timeout=_STOP_SECONDS)
            for task in pending:
                task.cancel()
            await asyncio.gather(*pending, return_exceptions=True)
        for rest in self._rests:
            await rest.close()

    def _missing(self) -> str:
        trigger = self._trigger
        return (
            f"Function {trigger.function.name} needs container {trigger.container} in database "
            f"{trigger.database} and lease container {trigger.lease_container} in database "
            f"{trigger.lease_database}. Create them with `python -m admin init`."
        )


class _Holding:
    """A lease in our hands; its writes come one after the other."""

    def __init__(self, store: LeaseStore, lease: Lease) -> None:
        self.store = store
        self.lease = lease
        self._writing = asyncio.Lock()

    async def checkpoint(self, token: str) -> None:
        async with self._writing:
            self.lease = await self.store.checkpoint(self.lease, token)

    async def renew_every(self, seconds: float) -> None:
        """Renew until the lease is lost; the first time after half an interval, as Azure does."""
        await asyncio.sleep(seconds / 2)
        while True:
            try:
                async with self._writing:
                    self.lease = await self.store.renew(self.lease)
            except CosmosError as error:
                logger.warning("lease.not_renewed lease=%s %s", self.lease.token, error)
            await asyncio.sleep(seconds)
