"""The lease container: bootstrap, listing, and writes that never overwrite another host's."""

from __future__ import annotations

import asyncio
import logging
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from local.host.leases import Json, Lease, LeaseFormatError, PartitionRange, new_lease
from local.host.rest import CosmosError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from local.host.rest import CosmosRest

logger = logging.getLogger(__name__)

_LOCK_SECONDS = 30
_LOCK_POLL = 0.5
_ATTEMPTS = 6
_NOT_FOUND, _CONFLICT, _CHANGED = 404, 409, 412


class LeaseLostError(Exception):
    """The lease belongs to somebody else now, or is gone."""


UNUSABLE = (CosmosError, LeaseFormatError)
"""What may pass by itself: the database cannot be used for now, or a lease document is damaged."""


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
        """Create the leases once; the first of several hosts does it, under a lock.

        Raises:
            CosmosError: If that is not possible for now.
        """
        while await self.read(f"{self.prefix}.info") is None:
            lock = {"id": f"{self.prefix}.lock", "ttl": _LOCK_SECONDS}
            if not await self.create(lock):
                await asyncio.sleep(_LOCK_POLL)
                continue
            for partition in partitions:
                await self.create(new_lease(self.prefix, partition, None))
            await self.create({"id": f"{self.prefix}.info"})
            await self.delete(f"{self.prefix}.lock")

    async def leases(self) -> list[Lease]:
        """Return all leases that can be read, in the order of their tokens.

        One that cannot be read is logged and left out, so that the others go on.

        Raises:
            CosmosError: If they cannot be listed.
        """
        documents = self._rest.query(
            self._container,
            "SELECT * FROM c WHERE STARTSWITH(c.id, @prefix)",
            {"@prefix": f"{self.prefix}.."},
        )
        leases = [_readable(document) async for document in documents]
        return sorted((lease for lease in leases if lease), key=lambda lease: lease.token)

    async def read(self, document_id: str) -> Json | None:
        """Return a document, None where it does not exist.

        Raises:
            CosmosError: If it cannot be read, or the container does not exist.
        """
        try:
            answer = await self._rest.read_document(self._container, document_id)
        except CosmosError as error:
            if error.status == _NOT_FOUND and error.sub_status == 0:
                return None
            raise
        return answer.body

    async def create(self, document: Json) -> bool:
        """Store a new document and return True; False where there is one of this id.

        Raises:
            CosmosError: If it cannot be stored.
        """
        try:
            await self._rest.create(self._container, document)
        except CosmosError as error:
            if error.status != _CONFLICT:
                raise
            return False
        return True

    async def delete(self, document_id: str) -> None:
        """Delete a document; harmless where it is gone.

        Raises:
            CosmosError: If it cannot be deleted.
        """
        try:
            await self._rest.delete(self._container, document_id)
        except CosmosError as error:
            if error.status != _NOT_FOUND:
                raise

    async def acquire(self, lease: Lease) -> Lease:
        """Become the owner, unless the owner changed since the lease was listed.

        Raises:
            LeaseLostError: If another host was faster.
            CosmosError, LeaseFormatError: If it cannot be written or read.
        """
        return await self._update(lease, lease.owner, {"Owner": self.owner})

    async def update(self, lease: Lease, changes: Mapping[str, object]) -> Lease:
        """Write properties of a lease that this owner holds, which renews it as well.

        Raises:
            LeaseLostError: If it is another owner's by now.
            CosmosError, LeaseFormatError: If it cannot be written or read.
        """
        return await self._update(lease, self.owner, changes)

    async def _update(
        self, lease: Lease, expected: str | None, changes: Mapping[str, object]
    ) -> Lease:
        for _ in range(_ATTEMPTS):
            document = lease.changed(datetime.now(timezone.utc), changes)
            try:
                answer = await self._rest.replace(self._container, document, lease.etag)
            except CosmosError as error:
                if error.status not in {_NOT_FOUND, _CHANGED}:
                    raise
            else:
                return lease.with_etag(document, answer.header("etag"))
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
        return Lease.from_document(answer.body)


def _readable(document: Json) -> Lease | None:
    try:
        return Lease.from_document(document)
    except LeaseFormatError as error:
        logger.warning("lease.unreadable %s", error)
        return None
