"""The change feed of one physical partition, read page by page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from local.conformance.responses import Response, Responses

if TYPE_CHECKING:
    from azure.cosmos.aio import ContainerProxy


_OK = 200
_NOT_MODIFIED = 304


class Page(NamedTuple):
    """A page of the feed, whose `items` are empty if the response is a 304."""

    response: Response
    items: list[dict[str, Any]]

    @property
    def ids(self) -> str:
        """The ids of the items in their order."""
        return " ".join(item["id"] for item in self.items)


@dataclass(kw_only=True)
class Feed:
    """A reader of the feed, which continues after the last page read.

    Attributes:
        container: The container that is read.
        feed_range: A key range in one physical partition.
        continuation: The continuation of the SDK, or None before the first page.
    """

    container: ContainerProxy
    feed_range: dict[str, Any]
    continuation: str | None = None

    async def pages(self, *, limit: int = 1000, session_token: str | None = None) -> list[Page]:
        """Return the pages up to and including the first 304."""
        responses = Responses()
        start: dict[str, Any] = (
            {"start_time": "Beginning", "feed_range": self.feed_range}
            if self.continuation is None
            else {"continuation": self.continuation}
        )
        iterator: Any = self.container.query_items_change_feed(
            max_item_count=limit, raw_response_hook=responses, session_token=session_token, **start
        ).by_page()
        items = [[item async for item in page] async for page in iterator]
        self.continuation = iterator.continuation_token
        pages = [response for response in responses.all if response.status in {_OK, _NOT_MODIFIED}]
        return [
            Page(response, items[nth] if response.status == _OK else [])
            for nth, response in enumerate(pages)
        ]


async def feed_for(container: ContainerProxy, stream: str) -> Feed:
    """Return the feed of the physical partition of a stream."""
    key = await container.feed_range_from_partition_key(stream)
    async for feed_range in container.read_feed_ranges():
        if await container.is_feed_range_subset(feed_range, key):
            return Feed(container=container, feed_range=feed_range)
    raise LookupError(f"No physical partition contains stream {stream}.")
