"""The lease container: bootstrap, listing, and writes that never overwrite somebody else's."""

from __future__ import annotations

import asyncio
import logging
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from local.host.leases import Json, Lease, PartitionRange, new_lease
from local.host.rest import CosmosError

if TYPE_CHECKING:
    from local.host.rest import CosmosRest

logger = logging.getLogger(__name__)

_LOCK_SECONDS = 30
_LOCK_POLL = 0.5
_ATTEMPTS = 6
_NOT_FOUND, _CONFLICT, _CHANGED = 404, 409, 412


class LeaseLostError(Exception):
    """The lease belongs to somebody else now, or is gone."""


class LeaseStore:
    """Leases of one processor.

    Args:
        rest: The account of the lease container.
        container: Link of the lease container.
        prefix: What the ids of the processor's documents begin with.
        owner: Name of this host's listener.
    """

    def __init__(self, rest: CosmosRest, container: str, prefix: str, owner: str) -> None:
        self._rest = rest
        self._container = container
        self.prefix = prefix
        self.owner = owner

    async def bootstrap(self, partitions: list[PartitionRange]) -> None:
        """Create the leases once; the first of several hosts does it, under a lock."""
        while not await self._exists(f"{self.prefix}.info"):
            lock = {"id": f"{self.prefix}.lock", "ttl": _LOCK_SECONDS}
            if not await self.create(lock):
                await asyncio.sleep(_LOCK_POLL)
                continue
            for partition in partitions:
                await self.create(new_lease(self.prefix, partition, None))
            await self.create({"id": f"{self.prefix}.info"})
            await self.delete(f"{self.prefix}.lock")

    async def leases(self) -> list[Lease]:
        """All leases, in the order of their tokens."""
        found = self._rest.query(
            self._container,
            "SELECT * FROM c WHERE STARTSWITH(c.id, @prefix)",
            {"@prefix": f"{self.prefix}.."},
        )
        return sorted([Lease(document) async for document in found], key=lambda each: each.token)

    async def create(self, document: Json) -> bool:
        """Store a new document; False if there is one of this id."""
        try:
            await self._rest.create(self._container, document)
        except CosmosError as error:
            if error.status != _CONFLICT:
                raise
            return False
        return True

    async def delete(self, document_id: str) -> None:
        """Delete a document; harmless if it is gone."""
        try:
            await self._rest.delete(self._container, document_id)
        except CosmosError as error:
            if error.status != _NOT_FOUND:
                raise

    async def acquire(self, lease: Lease) -> Lease:
        """Become the owner, unless somebody else became it since the lease was listed.

        Raises:
            LeaseLostError: Somebody was faster.
        """
        return await self._update(lease, expected=lease.owner, Owner=self.owner)

    async def renew(self, lease: Lease) -> Lease:
        """Say that we still work on it.

        Raises:
            LeaseLostError: It is not ours any more.
        """
        return await self._update(lease, expected=self.owner)

    async def checkpoint(self, lease: Lease, token: str) -> Lease:
        """Say that everything up to the token is completely processed.

        Raises:
            LeaseLostError: It is not ours any more.
        """
        return await self._update(lease, expected=self.owner, ContinuationToken=token)

    async def release(self, lease: Lease) -> None:
        """Leave the lease to others; harmless if it is not ours any more."""
        try:
            await self._update(lease, expected=self.owner, Owner=None)
        except LeaseLostError:
            logger.info("lease.lost lease=%s", lease.token)

    async def _update(self, lease: Lease, expected: str | None, **changes: object) -> Lease:
        for _ in range(_ATTEMPTS):
            document = lease.changed(datetime.now(timezone.utc), **changes)
            try:
                answer = await self._rest.replace(self._container, document, lease.etag)
            except CosmosError as error:
                if error.status not in {_NOT_FOUND, _CHANGED}:
                    raise
            else:
                return lease.with_etag(document, answer.headers["etag"])
            lease = await self._reread(lease)
            if lease.owner != expected:
                break
        raise LeaseLostError(lease.token)

    async def _reread(self, lease: Lease) -> Lease:
        try:
            answer = await self._rest.read_document(self._container, lease.id)
        except CosmosError as error:
            if error.status == _NOT_FOUND:
                raise LeaseLostError(lease.token) from None
            raise
        return Lease(answer.body)

    async def _exists(self, document_id: str) -> bool:
        try:
            await self._rest.read_document(self._container, document_id)
        except CosmosError as error:
            if error.status == _NOT_FOUND and error.sub_status == 0:
                return False
            raise
        return True
