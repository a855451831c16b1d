"""What several tests need: builders of documents, and a container that misbehaves on demand."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import aclosing
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from azure.core.pipeline.transport import HttpRequest
from azure.cosmos.exceptions import CosmosBatchOperationError, CosmosHttpResponseError

from core.cosmos.container import Container
from core.cosmos.partitions import PartitionMap
from core.cosmos.requests import Requests
from core.dead_letters.poison import PoisonEvent
from core.dead_letters.queries import DeadLetterFilter
from core.dead_letters.store import DeadLetterStore
from core.model.documents import Cause
from core.model.registry import ProjectionModule
from core.projecting.batch_run import BatchRun, ProjectionLimits
from core.projecting.derivation import derive
from core.projecting.parked_streams import ParkedStreams
from core.projecting.processor import BatchProcessor
from core.projecting.turn import ENDLESS_TURN
from core.throttling.deadline import Deadline
from core.throttling.rate_limiters import RateLimiter, RateLimiters
from core.throttling.retrier import Retrier
from core.throttling.stats import RequestStats
from core.tracking.fan_out_progress import FanOutProgressStore
from core.writing.writer import Writer
from core.writing.writes import Write, Written

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator

    from core.dead_letters.dead_letter import DeadLetter
    from core.operations.dead_letters import DeadLetterOperations

Document = dict[str, Any]

TIME = "2026-01-02T03:04:05.000060Z"

DATE_HANDLING = "AzureFunctionsJobHost__extensions__cosmosDB__serializerSettings__dateParseHandling"
"""The application setting that overrides what host.json says of dates."""


both_date_handlings = pytest.mark.parametrize(
    "date_handling",
    [pytest.param("None", id="stored"), pytest.param("DateTime", id="rewritten")],
)
"""Runs a test with dates handed over as they are stored, and as the trigger rewrites them."""


LIMITS = ProjectionLimits(hops=16, cpu_seconds=60.0)


def user(number: int) -> UUID:
    """A user's id."""
    return UUID(int=number, version=4)


def stream(number: int) -> str:
    """A user's stream."""
    return f"followship-{user(number)}"


def followed(follower: int, target: int, event_id: str | None = None, **changes: Any) -> Document:
    """The document of a `Followed` event."""
    return {
        "id": event_id or f"{follower}-{target}",
        "streamId": stream(follower),
        "type": "Followed",
        "version": 1,
        "time": TIME,
        "data": {"user_id": str(user(follower)), "to_follow": str(user(target))},
        "meta": {"correlationId": "c", "hops": 0},
        **changes,
    }


def derived(
    module: ProjectionModule,
    *documents: Document,
    parked_streams: ParkedStreams | None = None,
) -> tuple[list[Write], list[PoisonEvent]]:
    """Everything that a module derives from documents, and what it cannot project.

    All of it is written and parked, so that what waits for that is derived as well.
    """
    run = BatchRun(module, derive(module, documents), limits=LIMITS, parked_streams=parked_streams)
    writes: list[Write] = []
    poison_events: list[PoisonEvent] = []
    while True:
        while run.fill_pending(ENDLESS_TURN):
            pass
        if not run.has_pending_work:
            return writes, poison_events
        if run.new_fan_out is not None:
            run.start_new_fan_out()
        written = list(run.pending.values())
        run.apply(Written(written))
        causes = (one.cause for one in run.poison_events)
        run.hold_streams((one.projection, one.stream_id, one.stream_order) for one in causes)
        writes += written
        poison_events += run.poison_events
        run.poison_events = []


def refusal(
    status: int, *, retry_after_ms: int | None = None, sub_status: int | None = None
) -> CosmosHttpResponseError:
    """What the SDK raises when Cosmos DB refuses a request."""
    error = CosmosHttpResponseError(status_code=status, message="refused")  # type: ignore[no-untyped-call] # the SDK's
    error.headers = {}
    if retry_after_ms is not None:
        error.headers["x-ms-retry-after-ms"] = str(retry_after_ms)
    error.sub_status = sub_status
    return error


def batch_refusal(status: int, *, at: int, of: int, **fields: Any) -> CosmosBatchOperationError:
    """What the SDK raises when one operation of a batch fails."""
    responses: list[Document] = [{"statusCode": 424} for _ in range(of)]
    responses[at] = {"statusCode": status, **fields}
    return CosmosBatchOperationError(  # type: ignore[no-untyped-call] # the SDK's
        error_index=at, headers={}, status_code=status, message="x", operation_responses=responses
    )


class Query:
    """The results of a query, all on one page."""

    def __init__(self, items: list[Document]) -> None:
        self._items = items

    async def __aiter__(self) -> AsyncIterator[Document]:
        """Yield the items."""
        for item in self._items:
            yield item

    async def by_page(self, _: str | None = None) -> AsyncIterator[Query]:
        """Yield the page."""
        yield self


@dataclass
class MemoryContainer:
    """An events container in memory, as far as the engine uses one.

    `before` and `after` are called with each batch's stream before and after it is applied; what
    they raise is what the SDK would have raised. The next `stale_reads` reads do not see the last
    `lag` batches.
    """

    id: str = "events"
    partitions: int = 1
    before: Callable[[str], Awaitable[None]] | None = None
    after: Callable[[str], Awaitable[None]] | None = None
    documents: dict[tuple[str, str], Document] = field(default_factory=dict)
    batches: list[tuple[str, list[Document]]] = field(default_factory=list)
    refreshed: int = 0
    lag: int = 0
    stale_reads: int = 0
    versions: int = 0

    async def execute_item_batch(
        self,
        operations: list[tuple[str, tuple[Any, ...]]],
        partition_key: str,
        raw_request_hook: Callable[[Any], None] | None = None,
        response_hook: Callable[[Document, object], None] | None = None,
        *,
        no_response: bool = True,
    ) -> list[Document]:
        """Apply a batch, all or nothing; or, in the bulk form, each operation by itself."""
        if raw_request_hook is None:
            if not no_response:
                return [self._read(partition_key, *operations[0][1])]
            store = self._create if operations[0][0] == "create" else self._atomic
            return await store([document for _, (document,) in operations], partition_key)
        request = HttpRequest("POST", "", headers={"x-ms-documentdb-partitionkey": "[]"})
        raw_request_hook(SimpleNamespace(http_request=request))
        documents = [operation["resourceBody"] for operation in json.loads(request.data)]  # type: ignore[arg-type] # bytes
        results = (
            await self._bulk(documents)
            if "x-ms-documentdb-partitionkeyrangeid" in request.headers
            else await self._atomic(documents, partition_key)
        )
        if response_hook is not None:
            response_hook({"x-ms-request-charge": "10"}, results)
        return results

    async def _create(self, documents: list[Document], partition_key: str) -> list[Document]:
        if self.before is not None:
            await self.before(partition_key)
        taken = {item for stream_id, item in self.documents if stream_id == partition_key}
        for at, document in enumerate(documents):
            if document["id"] in taken:
                raise batch_refusal(409, at=at, of=len(documents))
            taken.add(document["id"])
        return await self._store(documents, partition_key)

    def query_items(self, text: str, **options: Any) -> Any:
        """A stream, its newest own event, or its document that was stored last.

        Queries over all streams, as for dead letters, find nothing.
        """
        is_of_stream = "partition_key" in options
        return Query(self._newest(text, **options) if is_of_stream else [])

    def _newest(self, text: str, *, partition_key: Any, **options: Any) -> list[Document]:
        visible = self._visible()
        stored = [item for (stream_id, _), item in visible.items() if stream_id == partition_key]
        if "TOP" not in text:
            matching = stored
        elif "_ts" in text:
            matching = stored[-1:]
        else:
            start = options["parameters"][0]["value"]
            own = [item for item in stored if start <= item["id"] < "n:"]
            matching = sorted(own, key=lambda item: item["id"])[-1:]
        return matching

    async def _atomic(self, documents: list[Document], partition_key: str) -> list[Document]:
        if self.before is not None:
            await self.before(partition_key)
        return await self._store(documents, partition_key)

    async def _store(self, documents: list[Document], partition_key: str) -> list[Document]:
        for document in documents:
            self.documents[partition_key, document["id"]] = document
        self.batches.append((partition_key, documents))
        if self.after is not None:
            await self.after(partition_key)
        return [{"statusCode": 201} for _ in documents]

    async def _bulk(self, documents: list[Document]) -> list[Document]:
        results = [await self._upsert(document) for document in documents]
        for document in documents:
            if self.after is not None:
                await self.after(document["streamId"])
        if any(result["statusCode"] >= 400 for result in results):
            raise CosmosBatchOperationError(  # type: ignore[no-untyped-call] # the SDK's
                error_index=0,
                headers={"x-ms-request-charge": "10"},
                status_code=207,
                message="x",
                operation_responses=results,
            )
        return results

    async def _upsert(self, document: Document) -> Document:
        stream_id = document["streamId"]
        try:
            if self.before is not None:
                await self.before(stream_id)
        except CosmosHttpResponseError as error:
            return {
                "statusCode": error.status_code,
                "subStatusCode": error.sub_status,
                "retryAfterMilliseconds": error.headers.get("x-ms-retry-after-ms"),
            }
        self.documents[stream_id, document["id"]] = document
        self.batches.append((stream_id, [document]))
        return {"statusCode": 201}

    async def upsert_item(self, document: Document) -> Document:
        """Store a document (of the leases)."""
        self.documents[document["id"], document["id"]] = document
        return document

    async def delete_item(self, item: str, partition_key: str, **options: Any) -> None:
        """Remove a document, or that version of it."""
        self._check_version(partition_key, item, **options)
        del self.documents[partition_key, item]

    async def create_item(self, document: Document) -> Document:
        """Store a new document (of the dead letters)."""
        if (document["id"], document["id"]) in self.documents:
            raise refusal(409)
        return self._store_version(document)

    async def replace_item(self, item: str, body: Document, **options: Any) -> Document:
        """Store a document in place of that version of it (of the dead letters)."""
        self._check_version(item, item, **options)
        return self._store_version(body)

    def _store_version(self, document: Document) -> Document:
        self.versions += 1
        stored = {**document, "_etag": str(self.versions)}
        self.documents[document["id"], document["id"]] = stored
        return stored

    def _check_version(self, partition_key: str, item: str, **options: Any) -> None:
        if (stored := self.documents.get((partition_key, item))) is None:
            raise refusal(404)
        if "etag" in options and options["etag"] != stored["_etag"]:
            raise refusal(412)

    def _read(self, partition_key: str, item: str) -> Document:
        """Return the result of reading a document by a batch."""
        try:
            return {"statusCode": 200, "resourceBody": self._visible()[partition_key, item]}
        except KeyError:
            raise batch_refusal(404, at=0, of=1) from None

    def _visible(self) -> dict[tuple[str, str], Document]:
        """What a replica shows."""
        if not self.stale_reads:
            return self.documents
        self.stale_reads -= 1
        latest = self.batches[-self.lag :] if self.lag else []
        hidden = {(stream_id, document["id"]) for stream_id, batch in latest for document in batch}
        return {key: document for key, document in self.documents.items() if key not in hidden}

    async def read_feed_ranges(
        self, *, raw_response_hook: Callable[[Any], None] = lambda _: None, **_: object
    ) -> AsyncIterator[Document]:
        """Physical partitions of equal width over two hexadecimal digits."""
        self.refreshed += 1
        borders = [f"{nth * 256 // self.partitions:02X}" for nth in range(1, self.partitions)]
        lows, highs = ["", *borders], [*borders, "FF"]
        answer = [
            {"id": str(nth), "minInclusive": low, "maxExclusive": high}
            for nth, (low, high) in enumerate(zip(lows, highs, strict=True))
        ]
        text = json.dumps({"PartitionKeyRanges": answer})
        raw = SimpleNamespace(status_code=200, text=lambda: text)
        raw_response_hook(SimpleNamespace(http_response=raw))
        for key_range in answer:
            yield {"Range": {"min": key_range["minInclusive"], "max": key_range["maxExclusive"]}}

    async def feed_range_from_partition_key(self, partition_key: str) -> Document:
        """Streams of users spread by their number."""
        number = int(partition_key[-2:], 16)
        return {"Range": {"min": f"{number:02X}", "max": f"{number:02X}"}}


CAUSE = Cause(projection="p", stream_id="s", event_id="x", stream_order="")
"""The cause of writes that come from no projection."""


class FakeTime:
    """A clock that moves when somebody sleeps, so that no test waits."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        """Seconds."""
        return self.now

    async def sleep(self, seconds: float) -> None:
        """Let the time pass, and others run."""
        self.slept.append(seconds)
        self.now += seconds
        await asyncio.sleep(0)

    def deadline(self, seconds: float = 60.0) -> Deadline:
        """A budget on this clock."""
        return Deadline.after(seconds, self)

    def limiters(self) -> RateLimiters:
        """Rate limiters on this clock, for an account that takes everything."""
        return WideRateLimiters(clock=self, sleep=self.sleep)

    def retrier(self) -> Retrier:
        """A retrier on this clock, without jitter."""
        return Retrier(sleep=self.sleep, jitter=lambda: 0.0)

    def requests(self) -> Requests:
        """Requests on this clock."""
        return Requests(limiters=self.limiters(), retrier=self.retrier())


class WideRateLimiters(RateLimiters):
    """Rate limiters that admitted much already, so that no rate has to be learned."""

    def for_partition(self, partition: str) -> RateLimiter:
        """The rate limiter of a partition."""
        new = partition not in self._by_partition
        limiter = super().for_partition(partition)
        if new:
            limiter._bucket.record_charge(1e9)
        return limiter


async def dead_letters_of(
    operations: DeadLetterOperations, name: str | None = None, *, discarded: bool = False
) -> list[DeadLetter]:
    """The first page of the dead letters of a projection or a module, each of them whole."""
    page = await operations.page(DeadLetterFilter(name=name, discarded=discarded))
    return [await operations.get(dead_letter.id) for dead_letter in page.dead_letters]


def documents_in(container: Any, clock: FakeTime) -> Container:
    """A container of small documents, in memory."""
    return Container(proxy=container, requests=clock.requests(), limiter="documents")


def writer(container: Any, clock: FakeTime, **options: Any) -> Writer:
    """A writer over a container in memory."""
    return Writer(
        container=container,
        partitions=PartitionMap(container, clock.requests()),
        limiters=options.pop("limiters", clock.limiters()),
        retrier=clock.retrier(),
        **options,
    )


@dataclass
class WriteResults:
    """The results of writes, and what they took."""

    durable: list[str] = field(default_factory=list)
    rejected: list[str] = field(default_factory=list)
    stats: RequestStats = field(default_factory=RequestStats)

    async def take(self, writer: Writer, writes: Iterable[Write], deadline: Deadline) -> None:
        """Write, and take note of each result, as far as they come."""
        async with aclosing(writer.write(writes, deadline, self.stats)) as results:
            async for result in results:
                if isinstance(result, Written):
                    self.durable.extend(write.id for write in result.writes)
                else:
                    self.rejected.append(result.write.id)


def processor(
    container: Any, dead_letters: Any, clock: FakeTime, leases: Any = None
) -> BatchProcessor:
    """A processor over containers in memory, as one process has it."""
    progress = documents_in(leases or MemoryContainer(), clock)
    return BatchProcessor(
        writer=writer(container, clock),
        dead_letters=DeadLetterStore(container=documents_in(dead_letters, clock)),
        fan_out_progress=FanOutProgressStore(container=progress),
        limits=LIMITS,
    )


def attempts(seconds: float = 20.0) -> Iterator[None]:
    """Loop on this to wait for a condition.

    Raises:
        AssertionError: It did not come true in time.
    """
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        yield
    raise AssertionError(f"It did not come true within {seconds} s.")


async def until(condition: Callable[[], Awaitable[bool]], seconds: float = 20.0) -> None:
    """Return as soon as the condition is true.

    Raises:
        AssertionError: It did not come true in time.
    """
    for _ in attempts(seconds):
        if await condition():
            return
        await asyncio.sleep(0.02)
