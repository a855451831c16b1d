"""The work on one lease: reads its feed, calls the function, checkpoints."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

import azure.functions as func

from local.host.dates import rewrite_dates
from local.host.feed import PartitionGoneError
from local.host.invocation import LEASE, Result, pause
from local.host.leases import successors
from local.host.leasestore import UNUSABLE, LeaseLostError

if TYPE_CHECKING:
    import asyncio

    from local.host.bindings import CosmosTrigger
    from local.host.feed import Feed, Page
    from local.host.held import HeldLease
    from local.host.invocation import Invoker

logger = logging.getLogger(__name__)


class LeaseWorker:
    """Works on one lease until it is lost or replaced, or the host stops.

    Args:
        trigger: The trigger as the app declares it.
        feed: The change feed of its container.
        held: The lease.
        invoker: What calls the function.
        stopping: The event that is set when the host stops.
        rewrites_dates: Whether dates are handed over as the extension writes them.

    Attributes:
        has_replaced_lease: Whether the lease made way for those of other partitions.
    """

    def __init__(
        self,
        trigger: CosmosTrigger,
        feed: Feed,
        held: HeldLease,
        invoker: Invoker,
        stopping: asyncio.Event,
        *,
        rewrites_dates: bool,
    ) -> None:
        self._trigger = trigger
        self._feed = feed
        self._held = held
        self._invoker = invoker
        self._stopping = stopping
        self._rewrites_dates = rewrites_dates
        self.has_replaced_lease = False

    async def run(self, renew_seconds: float) -> None:
        """Work on the lease and renew it."""
        LEASE.set(self._held.name)
        await self._held.hold(self._work(), renew_seconds)

    async def _work(self) -> None:
        token = self._held.lease.continuation
        while not self._stopping.is_set():
            try:
                page = await self._feed.read(self._held.lease, token)
            except PartitionGoneError:
                await self._replace(token)
                continue
            except UNUSABLE as error:
                logger.warning("feed.waiting function=%s lease=%s %s", *self._held.name, error)
                await self._pause(self._trigger.poll_delay)
                continue
            if page.documents:
                if not await self._deliver(page):
                    return
                await self._held.update(ContinuationToken=page.token)
            else:
                await self._pause(self._trigger.poll_delay)
            token = page.token

    async def _deliver(self, page: Page) -> bool:
        """Call the function until it succeeds or no retry is left; return False on a stop."""
        started = time.monotonic()
        with self._held.busy():
            result = await self._invoker.deliver(
                self._trigger, lambda: self._documents(page), self._pause
            )
        milliseconds = (time.monotonic() - started) * 1000
        figures = (*self._held.name, len(page.documents), milliseconds)
        if result is Result.SUCCEEDED:
            logger.info("batch.delivered function=%s lease=%s documents=%d ms=%.0f", *figures)
        elif result is Result.FAILED:
            logger.error(
                "batch.lost function=%s lease=%s documents=%d ms=%.0f: no retry is left, and the "
                "trigger checkpoints past a failed batch, as in Azure",
                *figures,
            )
        return result is not Result.STOPPED

    def _documents(self, page: Page) -> func.DocumentList:
        documents = rewrite_dates(page.documents) if self._rewrites_dates else page.documents
        return func.DocumentList(map(func.Document.from_dict, documents))

    async def _replace(self, token: str | None) -> None:
        """Create leases for the partitions that a split or a merge left in this one's place.

        Raises:
            LeaseLostError: When this one is replaced; otherwise it stays as it is.
            CosmosError, LeaseFormatError: If it cannot be replaced for now.
        """
        store, lease = self._held.store, self._held.lease
        documents = successors(store.prefix, lease, await self._feed.partitions(), token)
        if not documents:
            await self._pause(self._trigger.poll_delay)
            return
        for document in documents:
            await store.create(document)
        await store.delete(lease.id)
        self.has_replaced_lease = True
        raise LeaseLostError(lease.token)

    async def _pause(self, seconds: float) -> bool:
        return await pause(self._stopping, seconds)
