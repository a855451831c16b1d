"""The store of leases: it creates and lists them, and never overwrites another host's changes."""

from __future__ import annotations

import asyncio
import logging
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from local.host.leases import Json, Lease, LeaseFormatError, PartitionKeyRange, new_lease
from local.host.rest import CosmosRestError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from local.host.rest import CosmosRestClient

logger = logging.getLogger(__name__)

_LOCK_TTL_SECONDS = 30
_LOCK_POLL_SECONDS = 0.5
_MAX_ATTEMPTS = 6
_NOT_FOUND, _CONFLICT, _PRECONDITION_FAILED = 404, 409, 412


class LeaseLostError(Exception):
    """Another host owns the lease now, or it does not exist anymore."""


RETRYABLE_ERRORS = (CosmosRestError, LeaseFormatError)
"""The errors after which the host retries: of the database, or of an invalid lease document."""


class LeaseStore:
    """The leases of one processor.

    Args:
        rest: The client of the lease container's account.
        container: The link of the lease container.
        prefix: The prefix of the ids of the processor's documents.
        owner: The name under which this host owns leases.
    """

    def __init__(self, rest: CosmosRestClient, container: str, prefix: str, owner: str) -> None:
        self._rest = rest
        self._container = container
        self.prefix = prefix
        self.owner = owner

    async def bootstrap(self, partitions: list[PartitionKeyRange]) -> None:
        """Create the leases unless they exist, under a lock, so that one host creates them.

        Raises:
            CosmosRestError: If they cannot be created.
        """
        while await self.read(f"{self.prefix}.info") is None:
            lock = {"id": f"{self.prefix}.lock", "ttl": _LOCK_TTL_SECONDS}
            if not await self.create(lock):
                await asyncio.sleep(_LOCK_POLL_SECONDS)
                continue
            for partition in partitions:
                await self.create(new_lease(self.prefix, partition, None))
            await self.create({"id": f"{self.prefix}.info"})
            await self.delete(f"{self.prefix}.lock")

    async def leases(self) -> list[Lease]:
        """Return the valid leases in the order of their tokens.

        An invalid one is logged and left out, so that it does not affect the others.

        Raises:
            CosmosRestError: If they cannot be listed.
        """
        documents = self._rest.query(
            self._container,
            "SELECT * FROM c WHERE STARTSWITH(c.id, @prefix)",
            {"@prefix": f"{self.prefix}.."},
        )
        leases = [_parse(document) async for document in documents]
        return sorted((lease for lease in leases if lease), key=lambda lease: lease.token)

    async def read(self, document_id: str) -> Json | None:
        """Return a document, or None if it does not exist.

        Raises:
            CosmosRestError: If it cannot be read, or the container does not exist.
        """
        try:
            response = await self._rest.read_document(self._container, document_id)
        except CosmosRestError as error:
            if error.status == _NOT_FOUND and error.sub_status == 0:
                return None
            raise
        return response.body

    async def create(self, document: Json) -> bool:
        """Store a new document, and return False if its id exists already.

        Raises:
            CosmosRestError: If it cannot be stored.
        """
        try:
            await self._rest.create(self._container, document)
        except CosmosRestError as error:
            if error.status != _CONFLICT:
                raise
            return False
        return True

    async def delete(self, document_id: str) -> None:
        """Delete a document if it exists.

        Raises:
            CosmosRestError: If it cannot be deleted.
        """
        try:
            await self._rest.delete(self._container, document_id)
        except CosmosRestError as error:
            if error.status != _NOT_FOUND:
                raise

    async def acquire(self, lease: Lease) -> Lease:
        """Become the owner, unless the owner has changed since the lease was listed.

        Raises:
            LeaseLostError: If another host has acquired it.
            CosmosRestError: If it cannot be written or read.
            LeaseFormatError: If the stored document is invalid.
        """
        return await self._update(lease, lease.owner, {"Owner": self.owner})

    async def update(self, lease: Lease, changes: Mapping[str, object]) -> Lease:
        """Write properties of a lease that this host owns, which also renews it.

        Raises:
            LeaseLostError: If another host owns it now.
            CosmosRestError: If it cannot be written or read.
            LeaseFormatError: If the stored document is invalid.
        """
        return await self._update(lease, self.owner, changes)

    async def _update(
        self, lease: Lease, expected: str | None, changes: Mapping[str, object]
    ) -> Lease:
        for _ in range(_MAX_ATTEMPTS):
            document = lease.with_changes(datetime.now(timezone.utc), changes)
            try:
                response = await self._rest.replace(self._container, document, lease.etag)
            except CosmosRestError as error:
                if error.status not in {_NOT_FOUND, _PRECONDITION_FAILED}:
                    raise
            else:
                return lease.with_etag(document, response.header("etag"))
            lease = await self._reread(lease)
            if lease.owner != expected:
                break
        raise LeaseLostError(lease.token)

    async def _reread(self, lease: Lease) -> Lease:
        try:
            response = await self._rest.read_document(self._container, lease.id)
        except CosmosRestError as error:
            if error.status == _NOT_FOUND:
                raise LeaseLostError(lease.token) from None
            raise
        return Lease.from_document(response.body)


def _parse(document: Json) -> Lease | None:
    try:
        return Lease.from_document(document)
    except LeaseFormatError as error:
        logger.warning("lease.invalid error=%s", error)
        return None
