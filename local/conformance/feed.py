"""The change feed of one physical partition, read page by page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from local.conformance.answers import Answer, Answers

if TYPE_CHECKING:
    from azure.cosmos.aio import ContainerProxy


_OK = 200
_NOT_MODIFIED = 304


class Page(NamedTuple):
    """A page of the feed; `items` is empty where the answer is a 304."""

    answer: Answer
    items: list[dict[str, Any]]

    @property
    def ids(self) -> str:
        """The ids of the items in their order."""
        return " ".join(item["id"] for item in self.items)


@dataclass(kw_only=True)
class Feed:
    """A reader that continues where it stopped.

    Attributes:
        container: The container that is read.
        feed_range: Part of its key space, inside one physical partition.
        continuation: The SDK's token; None before the first page.
    """

    container: ContainerProxy
    feed_range: dict[str, Any]
    continuation: str | None = None

    async def pages(self, *, limit: int = 1000, session_token: str | None = None) -> list[Page]:
        """Return the pages up to the first 304, that one included."""
        answers = Answers()
        start: dict[str, Any] = (
            {"start_time": "Beginning", "feed_range": self.feed_range}
            if self.continuation is None
            else {"continuation": self.continuation}
        )
        iterator: Any = self.container.query_items_change_feed(
            max_item_count=limit, raw_response_hook=answers, session_token=session_token, **start
        ).by_page()
        items = [[item async for item in page] async for page in iterator]
        self.continuation = iterator.continuation_token
        pages = [answer for answer in answers.all if answer.status in {_OK, _NOT_MODIFIED}]
        return [
            Page(answer, items[nth] if answer.status == _OK else [])
            for nth, answer in enumerate(pages)
        ]


async def feed_of(container: ContainerProxy, stream: str) -> Feed:
    """Return the feed of the physical partition that holds a stream."""
    key = await container.feed_range_from_partition_key(stream)
    async for span in container.read_feed_ranges():
        if await container.is_feed_range_subset(span, key):
            return Feed(container=container, feed_range=span)
    raise LookupError(f"No physical partition holds stream {stream}.")
