"""A Cosmos DB that answers at once: what is measured over it ends before the wire."""

from __future__ import annotations

import json
from itertools import pairwise
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from azure.core.pipeline.transport import HttpRequest
from azure.cosmos.exceptions import CosmosResourceNotFoundError

from core.cosmos.container import Container
from core.cosmos.key_ranges import effective_partition_key
from core.cosmos.partitions import PartitionMap
from core.cosmos.requests import Requests
from core.dead_letters.store import DeadLetterStore
from core.projecting.batch_run import ProjectionLimits
from core.projecting.processor import BatchProcessor
from core.throttling.rate_limiters import RateLimiters
from core.throttling.retrier import Retrier
from core.tracking.fan_out_progress import FanOutProgressStore
from core.writing.writer import Writer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

_CHARGE = 6.2
"""Request units of an upsert with one indexed path, as the embedded Cosmos DB counts them."""

_TAKEN = {"statusCode": 201, "requestCharge": _CHARGE}
_BORDERS = ("", "0FFFFFFFFFFFFFFF", "1FFFFFFFFFFFFFFF", "2FFFFFFFFFFFFFFF", "FF")


class NoResults:
    """The pages of a query that finds nothing."""

    async def by_page(self, _: str | None) -> AsyncIterator[AsyncIterator[Any]]:
        """Yield nothing."""
        pages: tuple[AsyncIterator[Any], ...] = ()
        for page in pages:
            yield page


class Stub:
    """As much of a container of 4 physical partitions as the engine uses; it stores nothing.

    A request counts as made when its headers and its body are there as bytes.

    Attributes:
        requests: How many were made.
    """

    id = "events"

    def __init__(self) -> None:
        self.requests = 0

    async def execute_item_batch(
        self,
        _operations: Sequence[object],
        _partition_key: str,
        *,
        raw_request_hook: Callable[[Any], None] | None = None,
        response_hook: Callable[[dict[str, str], None], None] = lambda *_: None,
        **_: object,
    ) -> list[dict[str, Any]]:
        """All writes are taken, and no document is there to be read."""
        if raw_request_hook is None:
            raise CosmosResourceNotFoundError(status_code=404)  # type: ignore[no-untyped-call] # the SDK's
        request = HttpRequest("POST", "", headers={"x-ms-documentdb-partitionkey": "[]"})
        raw_request_hook(SimpleNamespace(http_request=request))
        body: Any = request.data
        count = body.count(b'{"operationType"')
        self.requests += 1
        response_hook({"x-ms-request-charge": str(_CHARGE * count)}, None)
        return [_TAKEN] * count

    async def read_feed_ranges(
        self, *, raw_response_hook: Callable[[Any], None] = lambda _: None, **_: object
    ) -> AsyncIterator[dict[str, Any]]:
        """Four, and their ids."""
        ranges = list(pairwise(_BORDERS))
        known = [
            {"id": str(nth), "minInclusive": low, "maxExclusive": high}
            for nth, (low, high) in enumerate(ranges)
        ]
        text = json.dumps({"PartitionKeyRanges": known})
        response = SimpleNamespace(status_code=200, text=lambda: text)
        raw_response_hook(SimpleNamespace(http_response=response))
        for low, high in ranges:
            yield {"Range": {"min": low, "max": high}}

    async def feed_range_from_partition_key(self, key: str) -> dict[str, Any]:
        """Where it lies."""
        return {"Range": {"min": effective_partition_key(key)}}

    async def upsert_item(self, _body: object) -> None:
        """It is taken."""

    async def delete_item(self, *_: object) -> None:
        """There is none."""
        raise CosmosResourceNotFoundError(status_code=404)  # type: ignore[no-untyped-call] # the SDK's

    def query_items(self, *_: object, **__: object) -> NoResults:
        """Return no dead letters."""
        return NoResults()

    def processor(self) -> BatchProcessor:
        """Return the whole engine for batches, over this."""
        container: Any = self
        limiters, retrier = RateLimiters(), Retrier()
        requests = Requests(limiters=limiters, retrier=retrier)
        documents = Container(proxy=container, requests=requests, limiter="documents")
        return BatchProcessor(
            writer=Writer(
                container=container,
                partitions=PartitionMap(container, requests),
                limiters=limiters,
                retrier=retrier,
            ),
            dead_letters=DeadLetterStore(container=documents),
            fan_out_progress=FanOutProgressStore(container=documents),
            limits=ProjectionLimits(hops=16, cpu_seconds=60.0),
        )
