"""The work on one lease: it reads the feed, calls the function and stores checkpoints."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

import azure.functions as func

from local.host.dates import rewrite_dates
from local.host.feed import PartitionGoneError
from local.host.invocation import LEASE, InvocationResult, pause
from local.host.lease_store import RETRYABLE_ERRORS, LeaseLostError
from local.host.leases import child_leases

if TYPE_CHECKING:
    import asyncio

    from local.host.bindings import CosmosTrigger
    from local.host.feed import ChangeFeedReader, Page
    from local.host.invocation import Invoker
    from local.host.owned_lease import OwnedLease

logger = logging.getLogger(__name__)


class LeaseWorker:
    """Processes the feed of one lease until it is lost or replaced, or the host stops.

    Args:
        trigger: The trigger as the app declares it.
        feed: The change feed of its container.
        owned_lease: The lease.
        invoker: The object that calls the function.
        stopping: The event that is set when the host stops.
        rewrites_dates: Whether dates are passed on as the extension writes them.

    Attributes:
        has_replaced_lease: Whether the lease was replaced by leases of other partitions.
    """

    def __init__(
        self,
        trigger: CosmosTrigger,
        feed: ChangeFeedReader,
        owned_lease: OwnedLease,
        invoker: Invoker,
        stopping: asyncio.Event,
        *,
        rewrites_dates: bool,
    ) -> None:
        self._trigger = trigger
        self._feed = feed
        self._owned_lease = owned_lease
        self._invoker = invoker
        self._stopping = stopping
        self._rewrites_dates = rewrites_dates
        self.has_replaced_lease = False

    async def run(self, renew_seconds: float) -> None:
        """Process the feed of the lease, and renew it."""
        LEASE.set(self._owned_lease.name)
        await self._owned_lease.run(self._process_feed(), renew_seconds)

    async def _process_feed(self) -> None:
        continuation = self._owned_lease.lease.continuation
        while not self._stopping.is_set():
            try:
                page = await self._feed.read(self._owned_lease.lease, continuation)
            except PartitionGoneError:
                await self._replace(continuation)
                continue
            except RETRYABLE_ERRORS as error:
                logger.warning(
                    "feed.read_failed function=%s lease_token=%s error=%s",
                    *(*self._owned_lease.name, error),
                )
                await self._pause(self._trigger.poll_delay)
                continue
            if page.documents:
                if not await self._deliver(page):
                    return
                await self._owned_lease.update(ContinuationToken=page.continuation)
            else:
                await self._pause(self._trigger.poll_delay)
            continuation = page.continuation

    async def _deliver(self, page: Page) -> bool:
        """Call the function until it succeeds or no retries are left; return False on a stop."""
        started = time.monotonic()
        with self._owned_lease.uninterruptible():
            result = await self._invoker.deliver(
                self._trigger, lambda: self._documents(page), self._pause
            )
        milliseconds = (time.monotonic() - started) * 1000
        fields = (*self._owned_lease.name, len(page.documents), milliseconds)
        if result is InvocationResult.SUCCEEDED:
            logger.info(
                "batch.delivered function=%s lease_token=%s documents=%d duration_ms=%.0f", *fields
            )
        elif (
            result is InvocationResult.FAILED
        ):  # as in Azure, the checkpoint is stored nevertheless
            logger.error(
                "batch.dropped function=%s lease_token=%s documents=%d duration_ms=%.0f "
                "reason=retries_exhausted",
                *fields,
            )
        return result is not InvocationResult.STOPPED

    def _documents(self, page: Page) -> func.DocumentList:
        documents = rewrite_dates(page.documents) if self._rewrites_dates else page.documents
        return func.DocumentList(map(func.Document.from_dict, documents))

    async def _replace(self, continuation: str | None) -> None:
        """Replace the lease by leases of the partitions that a split or a merge created, if any.

        Raises:
            LeaseLostError: If it was replaced.
            CosmosRestError: If the leases cannot be read or written.
            LeaseFormatError: If the key range of the lease is invalid.
        """
        store, lease = self._owned_lease.store, self._owned_lease.lease
        documents = child_leases(store.prefix, lease, await self._feed.partitions(), continuation)
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
