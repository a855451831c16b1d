"""Reads the change feed as the trigger does: one part of the key space, page by page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from local.host.leases import Lease, PartitionRange, is_container_rid, overlapping
from local.host.rest import CosmosError

if TYPE_CHECKING:
    from local.host.rest import CosmosRest

_GONE = 410
_NOT_MODIFIED = 304


class PartitionGoneError(Exception):
    """The lease's partition was split or merged."""


@dataclass(frozen=True, kw_only=True)
class Page:
    """Documents after a token, and the token after them; empty when there is nothing new."""

    documents: list[dict[str, Any]]
    token: str


class Feed:
    """The change feed of one container.

    Args:
        rest: The container's account.
        container: Its link.
        max_items: Hint on the size of a page.
        from_beginning: Where to begin without a checkpoint; otherwise now.
    """

    def __init__(
        self, rest: CosmosRest, container: str, *, max_items: int, from_beginning: bool
    ) -> None:
        self._rest = rest
        self._container = container
        self._max_items = max_items
        self._from_beginning = from_beginning

    async def rid(self) -> str:
        """Return the container's resource id.

        Raises:
            CosmosError: If it cannot be read.
        """
        answer = await self._rest.read(self._container)
        rid = answer.text("_rid")
        if not is_container_rid(rid):
            raise answer.unusable(f"with {rid!r} for a container's resource id")
        return rid

    async def partitions(self) -> list[PartitionRange]:
        """Return the container's physical partitions.

        Raises:
            CosmosError: If they cannot be read.
        """
        answer = await self._rest.read(f"{self._container}/pkranges")
        return [
            PartitionRange(
                id=item["id"], minimum=item["minInclusive"], maximum=item["maxExclusive"]
            )
            for item in answer.objects("PartitionKeyRanges", "id", "minInclusive", "maxExclusive")
        ]

    async def read(self, lease: Lease, token: str | None) -> Page:
        """Return the page after the token.

        Raises:
            PartitionGoneError: If the lease must be replaced by those of today's partitions.
            CosmosError: If the page cannot be read.
        """
        headers = {
            "a-im": "Incremental Feed",
            "x-ms-max-item-count": str(self._max_items),
            **(await self._place(lease)),
        }
        if token is not None:
            headers["if-none-match"] = token
        elif not self._from_beginning:
            headers["if-none-match"] = "*"
        try:
            answer = await self._rest.read(f"{self._container}/docs", headers)
        except CosmosError as error:
            if error.status == _GONE:
                raise PartitionGoneError(lease.token) from None
            raise
        documents = [] if answer.status == _NOT_MODIFIED else answer.objects("Documents")
        return Page(documents=documents, token=answer.header("etag"))

    async def _place(self, lease: Lease) -> dict[str, str]:
        if not lease.by_key_range or lease.range is None:
            return {"x-ms-documentdb-partitionkeyrangeid": lease.token}
        low, high = lease.range
        partitions = overlapping(await self.partitions(), low, high)
        if len(partitions) != 1:
            raise PartitionGoneError(lease.token)
        return {
            "x-ms-documentdb-partitionkeyrangeid": partitions[0].id,
            "x-ms-read-key-type": "EffectivePartitionKeyRange",
            "x-ms-start-epk": low,
            "x-ms-end-epk": high,
        }
