"""A lease that this host owns: it is renewed during the work on it, and released afterwards."""

from __future__ import annotations

import asyncio
import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from local.host.lease_store import RETRYABLE_ERRORS, LeaseLostError

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterator

    from local.host.lease_store import LeaseStore
    from local.host.leases import Lease

logger = logging.getLogger(__name__)

_RELEASE_TIMEOUT_SECONDS = 1.0


class OwnedLease:
    """A lease that this host owns, whose writes are made one after the other.

    Args:
        store: The store of the lease.
        lease: The lease as it was acquired.
        function: The name of the function for which it was acquired.

    Attributes:
        name: The names of the function and the lease, for log lines.
    """

    def __init__(self, store: LeaseStore, lease: Lease, function: str) -> None:
        self.store = store
        self.lease = lease
        self.name = (function, lease.token)
        self._write_lock = asyncio.Lock()
        self._is_busy = False

    async def run(self, work: Coroutine[Any, Any, None], renew_seconds: float) -> None:
        """Run the work and renew the lease until the work ends or the lease is lost; release it.

        As in Azure, uninterruptible work continues after the lease is lost: the next owner
        processes the same batch concurrently, and the checkpoint of this one fails.
        """
        tasks = asyncio.create_task(work), asyncio.create_task(self._renew_every(renew_seconds))
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if self._is_busy:
                await asyncio.wait(tasks[:1])
        finally:
            await self._end(*tasks)

    @contextmanager
    def uninterruptible(self) -> Iterator[None]:
        """Mark work that continues after the lease is lost."""
        self._is_busy = True
        try:
            yield
        finally:
            self._is_busy = False

    async def update(self, **changes: object) -> None:
        """Write properties, which also renews the lease.

        Raises:
            LeaseLostError: If another host owns it now.
            CosmosRestError: If it cannot be written or read.
            LeaseFormatError: If the stored document is invalid.
        """
        async with self._write_lock:
            self.lease = await self.store.update(self.lease, changes)

    async def _renew_every(self, seconds: float) -> None:
        """Renew the lease, for the first time after half an interval, as Azure does."""
        await asyncio.sleep(seconds / 2)
        while True:
            try:
                await self.update()
            except RETRYABLE_ERRORS as error:
                logger.warning(
                    "lease.renewal_failed function=%s lease_token=%s error=%s", *self.name, error
                )
            await asyncio.sleep(seconds)

    async def _end(self, *tasks: asyncio.Task[None]) -> None:
        for task in tasks:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        if any(isinstance(result, LeaseLostError) for result in results):
            logger.info("lease.lost function=%s lease_token=%s", *self.name)
            return
        for result in results:
            if isinstance(result, RETRYABLE_ERRORS):
                logger.warning(
                    "lease.abandoned function=%s lease_token=%s error=%s", *self.name, result
                )
            elif isinstance(result, Exception):
                logger.error("lease.failed function=%s lease_token=%s", *self.name, exc_info=result)
        await self._release()

    async def _release(self) -> None:
        """Give up ownership; if that fails, the lease expires."""
        try:
            await asyncio.wait_for(self.update(Owner=None), _RELEASE_TIMEOUT_SECONDS)
        except (LeaseLostError, asyncio.TimeoutError, *RETRYABLE_ERRORS) as error:
            logger.warning(
                "lease.release_failed function=%s lease_token=%s error=%r", *self.name, error
            )
        else:
            logger.info("lease.released function=%s lease_token=%s", *self.name)
