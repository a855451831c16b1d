"""A lease in this host's hands: worked on, renewed meanwhile, and released in the end."""

from __future__ import annotations

import asyncio
import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from local.host.leasestore import UNUSABLE, LeaseLostError

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterator

    from local.host.leases import Lease
    from local.host.leasestore import LeaseStore

logger = logging.getLogger(__name__)

_RELEASE_SECONDS = 1.0


class HeldLease:
    """A lease that this host holds; its writes come one after the other.

    Args:
        store: The store of the lease.
        lease: The lease as it was acquired.
        function: The name of the function that works on it.

    Attributes:
        name: The names of the function and the lease, for log lines.
    """

    def __init__(self, store: LeaseStore, lease: Lease, function: str) -> None:
        self.store = store
        self.lease = lease
        self.name = (function, lease.token)
        self._writing = asyncio.Lock()
        self._is_busy = False

    async def hold(self, work: Coroutine[Any, Any, None], renew_seconds: float) -> None:
        """Work and renew the lease, until the work ends or the lease is lost; then release it.

        What is busy goes on when the lease is lost meanwhile, as in Azure: the next owner runs the
        same batch beside it, and its checkpoint is refused.
        """
        tasks = asyncio.create_task(work), asyncio.create_task(self._renew_every(renew_seconds))
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if self._is_busy:
                await asyncio.wait(tasks[:1])
        finally:
            await self._leave(*tasks)

    @contextmanager
    def busy(self) -> Iterator[None]:
        """Mark what must not be interrupted when the lease is lost."""
        self._is_busy = True
        try:
            yield
        finally:
            self._is_busy = False

    async def update(self, **changes: object) -> None:
        """Write properties, which renews the lease as well.

        Raises:
            LeaseLostError: If it is another owner's by now.
            CosmosError, LeaseFormatError: If it cannot be written or read.
        """
        async with self._writing:
            self.lease = await self.store.update(self.lease, changes)

    async def _renew_every(self, seconds: float) -> None:
        """Renew the lease, the first time after half an interval, as Azure does."""
        await asyncio.sleep(seconds / 2)
        while True:
            try:
                await self.update()
            except UNUSABLE as error:
                logger.warning("lease.not_renewed function=%s lease=%s %s", *self.name, error)
            await asyncio.sleep(seconds)

    async def _leave(self, *tasks: asyncio.Task[None]) -> None:
        for task in tasks:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        if any(isinstance(result, LeaseLostError) for result in results):
            logger.info("lease.lost function=%s lease=%s", *self.name)
            return
        for result in results:
            if isinstance(result, UNUSABLE):
                logger.warning("lease.given_up function=%s lease=%s %s", *self.name, result)
            elif isinstance(result, Exception):
                logger.error("lease.failed function=%s lease=%s", *self.name, exc_info=result)
        await self._release()

    async def _release(self) -> None:
        """Leave the lease to others; where that fails it expires."""
        try:
            await asyncio.wait_for(self.update(Owner=None), _RELEASE_SECONDS)
        except (LeaseLostError, asyncio.TimeoutError, *UNUSABLE) as error:
            logger.warning("lease.not_released function=%s lease=%s %r", *self.name, error)
        else:
            logger.info("lease.released function=%s lease=%s", *self.name)
