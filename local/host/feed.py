"""The change feed of a container, which the trigger reads page by page, lease by lease."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from local.host.leases import Lease, PartitionKeyRange, is_container_rid, overlapping
from local.host.rest import CosmosRestError

if TYPE_CHECKING:
    from local.host.rest import CosmosRestClient

_GONE = 410
_NOT_MODIFIED = 304


class PartitionGoneError(Exception):
    """The partition of a lease was split or merged."""


@dataclass(frozen=True, kw_only=True)
class Page:
    """Documents of the change feed, if any, and the continuation after them."""

    documents: list[dict[str, Any]]
    continuation: str


class ChangeFeedReader:
    """Reads the change feed of one container.

    Args:
        rest: The client of the container's account.
        container: The link of the container.
        max_items: The maximum number of documents in a page, which is a hint.
        from_beginning: Whether to start at the beginning, instead of now, without a checkpoint.
    """

    def __init__(
        self, rest: CosmosRestClient, container: str, *, max_items: int, from_beginning: bool
    ) -> None:
        self._rest = rest
        self._container = container
        self._max_items = max_items
        self._from_beginning = from_beginning

    async def rid(self) -> str:
        """Return the container's resource id.

        Raises:
            CosmosRestError: If it cannot be read.
        """
        response = await self._rest.read(self._container)
        rid = response.text("_rid")
        if not is_container_rid(rid):
            raise response.format_error(f"with {rid!r} as the resource id of a container")
        return rid

    async def partitions(self) -> list[PartitionKeyRange]:
        """Return the container's physical partitions.

        Raises:
            CosmosRestError: If they cannot be read.
        """
        response = await self._rest.read(f"{self._container}/pkranges")
        members = ("id", "minInclusive", "maxExclusive")
        return [
            PartitionKeyRange(
                id=item["id"], minimum=item["minInclusive"], maximum=item["maxExclusive"]
            )
            for item in response.objects("PartitionKeyRanges", *members)
        ]

    async def read(self, lease: Lease, continuation: str | None) -> Page:
        """Return the page of a lease after a continuation.

        Raises:
            PartitionGoneError: If the lease must be replaced by leases of the current partitions.
            CosmosRestError: If the page cannot be read.
        """
        headers = {
            "a-im": "Incremental Feed",
            "x-ms-max-item-count": str(self._max_items),
            **(await self._range_headers(lease)),
        }
        if continuation is not None:
            headers["if-none-match"] = continuation
        elif not self._from_beginning:
            headers["if-none-match"] = "*"
        try:
            response = await self._rest.read(f"{self._container}/docs", headers)
        except CosmosRestError as error:
            if error.status == _GONE:
                raise PartitionGoneError(lease.token) from None
            raise
        documents = [] if response.status == _NOT_MODIFIED else response.objects("Documents")
        return Page(documents=documents, continuation=response.header("etag"))

    async def _range_headers(self, lease: Lease) -> dict[str, str]:
        if not lease.by_key_range or lease.range is None:
            return {"x-ms-documentdb-partitionkeyrangeid": lease.token}
        start, end = lease.range
        partitions = overlapping(await self.partitions(), start, end)
        if len(partitions) != 1:
            raise PartitionGoneError(lease.token)
        return {
            "x-ms-documentdb-partitionkeyrangeid": partitions[0].id,
            "x-ms-read-key-type": "EffectivePartitionKeyRange",
            "x-ms-start-epk": start,
            "x-ms-end-epk": end,
        }
