"""Requests that hold writes of many streams."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from azure.core.exceptions import ServiceResponseError
from azure.core.pipeline.transport import HttpRequest
from azure.cosmos.exceptions import CosmosBatchOperationError

from core.errors import ConfigurationError, DeadlineExceededError
from core.writing.writer import BulkMode
from core.writing.writes import Write
from tests.support import (
    CAUSE,
    FakeTime,
    MemoryContainer,
    WriteResults,
    batch_refusal,
    refusal,
    stream,
    writer,
)

Answer = Callable[[list[dict[str, Any]]], Any]


@dataclass
class Service(MemoryContainer):
    """Answers requests of the bulk form as planned, then well; keeps what was sent.

    In the other form it refuses documents with the ids of `refused`.
    """

    planned: list[Answer] = field(default_factory=list)
    refused: tuple[str, ...] = ()
    refusal: dict[str, int] = field(default_factory=lambda: {"status": 400})
    sent: list[tuple[str, list[str]]] = field(default_factory=list)
    slept: list[float] = field(default_factory=list)

    async def execute_item_batch(self, *arguments: Any, **options: Any) -> Any:
        request = HttpRequest("POST", "", headers={"x-ms-documentdb-partitionkey": "[]"})
        options["raw_request_hook"](SimpleNamespace(http_request=request))
        operations = json.loads(str(request.data, "utf-8"))  # type: ignore[arg-type] # bytes
        where = request.headers.get("x-ms-documentdb-partitionkeyrangeid", "-")
        self.sent.append((where, [operation["resourceBody"]["id"] for operation in operations]))
        await asyncio.sleep(0)
        if where != "-" and self.planned:
            results = self.planned.pop(0)(operations)
            for operation, result in zip(operations, results, strict=False):
                if isinstance(result, dict) and result.get("statusCode") in (200, 201):
                    await self._upsert(operation["resourceBody"])
            if any(isinstance(r, dict) and r.get("statusCode", 0) >= 400 for r in results):
                raise CosmosBatchOperationError(  # type: ignore[no-untyped-call] # the SDK's
                    error_index=0, headers={}, status_code=207, operation_responses=results
                )
            return results
        for place, operation in enumerate(operations):
            if where == "-" and operation["resourceBody"]["id"] in self.refused:
                raise batch_refusal(at=place, of=len(operations), **self.refusal)
        return await super().execute_item_batch(*arguments, **options)


def results(*statuses: int, **fields: Any) -> Answer:
    """An answer with these statuses, then 201s; the fields are those of the failed ones."""

    def answer(operations: list[dict[str, Any]]) -> list[dict[str, Any]]:
        known = [*statuses, *(201 for _ in operations[len(statuses) :])]
        return [{"statusCode": status, **(fields if status >= 400 else {})} for status in known]

    return answer


def failing(error: Exception) -> Answer:
    def answer(_: object) -> Any:
        raise error

    return answer


def write(user: int, name: str) -> Write:
    body = json.dumps({"id": name, "streamId": stream(user)}).encode()
    return Write(stream_id=stream(user), id=name, body=body, cause=CAUSE)


async def run(
    service: Service,
    *writes: Write,
    seconds: float = 60.0,
    bulk: BulkMode | None = None,
    slots: int = 32,
) -> WriteResults:
    clock, outcome = FakeTime(), WriteResults()
    bulk, limit = bulk or BulkMode(), asyncio.Semaphore(slots)
    deadline = clock.deadline(seconds)
    await outcome.take(writer(service, clock, bulk=bulk, slots=limit), writes, deadline)
    service.slept = clock.slept
    return outcome


ONES = [write(user, f"w{user}") for user in range(1, 6)]


async def test_writes_of_many_streams_go_in_one_request_for_each_partition() -> None:
    """By the id of the physical partition, and without a partition key of the request."""
    service = Service(partitions=2)

    result = await run(service, write(1, "a"), write(200, "b"), write(2, "c"))

    assert sorted(service.sent) == [("0", ["a", "c"]), ("1", ["b"])]
    assert sorted(result.durable) == ["a", "b", "c"]
    assert result.stats.request_charge == 20.0


async def test_any_number_of_streams_goes_in_few_requests() -> None:
    """Up to 100 in each, a few of them at once."""
    flying, most = 0, 0

    class Slow(Service):
        async def execute_item_batch(self, *arguments: Any, **options: Any) -> Any:
            nonlocal flying, most
            flying += 1
            most = max(most, flying)
            for _turn in range(5):
                await asyncio.sleep(0)
            try:
                return await super().execute_item_batch(*arguments, **options)
            finally:
                flying -= 1

    service = Slow()
    writes = [write(user, f"{user} {turn}") for turn in range(3) for user in range(1, 241)]

    result = await run(service, *writes)

    assert sorted(result.durable) == sorted(write.id for write in writes)
    assert {len(ids) for _, ids in service.sent} <= set(range(1, 101))
    assert len(service.sent) <= 12
    assert 1 < most <= 4


async def test_the_request_is_what_other_sdks_send() -> None:
    """Each operation names its partition key; nothing is atomic."""
    requests: list[HttpRequest] = []

    class Keeping(Service):
        async def execute_item_batch(self, *arguments: Any, **options: Any) -> Any:
            request = HttpRequest("POST", "", headers={"x-ms-documentdb-partitionkey": "[]"})
            options["raw_request_hook"](SimpleNamespace(http_request=request))
            requests.append(request)
            return await super().execute_item_batch(*arguments, **options)

    await run(Keeping(), write(1, "a"), write(2, "b"))

    (request,) = requests
    body = str(request.data, "utf-8")  # type: ignore[arg-type] # bytes
    assert json.loads(body)[0] == {
        "operationType": "Upsert",
        "partitionKey": json.dumps([stream(1)]),
        "resourceBody": {"id": "a", "streamId": stream(1)},
    }
    assert dict(request.headers) == {
        "x-ms-cosmos-batch-atomic": "False",
        "x-ms-cosmos-batch-continue-on-error": "True",
        "x-ms-documentdb-partitionkeyrangeid": "0",
        "Content-Length": str(len(body)),
    }


async def test_a_stream_has_one_write_on_its_way() -> None:
    """The next one is sent when the first is durable, so that no failure changes the order."""
    service = Service(planned=[results(503)])

    await run(service, write(1, "1a"), write(2, "2a"), write(1, "1b"), write(1, "1c"))

    assert all(len({document_id[:1] for document_id in ids}) == len(ids) for _, ids in service.sent)
    stored = [documents[0]["id"] for _, documents in service.batches]
    assert [document_id for document_id in stored if document_id.startswith("1")] == [
        "1a",
        "1b",
        "1c",
    ]


@pytest.mark.parametrize(
    ("answer", "waited"),
    [
        pytest.param(results(201, 429, retryAfterMilliseconds=700), 0.7, id="429 with a hint"),
        pytest.param(results(201, 429), 0.05, id="429 without"),
        pytest.param(results(201, 449), 0.05, id="449"),
        pytest.param(results(201, 408), 0.05, id="408"),
        pytest.param(results(201, 503), 0.05, id="503"),
        pytest.param(results(201, 299), 0.05, id="a status that nobody knows"),
    ],
)
async def test_what_failed_is_sent_again_alone(answer: Answer, waited: float) -> None:
    """After its own hint; the others are durable already."""
    service = Service(planned=[answer])

    result = await run(service, *ONES)

    assert [ids for _, ids in service.sent] == [["w1", "w2", "w3", "w4", "w5"], ["w2"]]
    assert result.durable == ["w1", "w3", "w4", "w5", "w2"]
    assert waited <= sum(service.slept) <= waited + 0.1


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(failing(ServiceResponseError("reset")), id="lost reply"),
        pytest.param(failing(refusal(503)), id="503"),
        pytest.param(failing(refusal(429, retry_after_ms=50)), id="429"),
        pytest.param(lambda _: [{"statusCode": 201}], id="fewer results"),
        pytest.param(
            lambda operations: [{"statusCode": 201}] * (len(operations) + 1), id="more results"
        ),
        pytest.param(lambda operations: [{}] * len(operations), id="results without a status"),
        pytest.param(lambda operations: ["x"] * len(operations), id="no results"),
    ],
)
async def test_of_a_request_that_failed_nothing_counts_as_written(answer: Answer) -> None:
    """All of it is sent again."""
    service = Service(planned=[answer])

    result = await run(service, *ONES)

    assert [ids for _, ids in service.sent] == [["w1", "w2", "w3", "w4", "w5"]] * 2
    assert sorted(result.durable) == ["w1", "w2", "w3", "w4", "w5"]


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(results(201, 410, subStatusCode=1002), id="one operation"),
        pytest.param(failing(refusal(410, sub_status=1002)), id="the whole request"),
    ],
)
async def test_what_has_moved_is_looked_for_again(answer: Answer) -> None:
    """In the partitions of now."""
    service = Service(planned=[answer])
    service.partitions = 1

    def split(operations: list[dict[str, Any]]) -> Any:
        service.partitions = 2
        return answer(operations)

    service.planned = [split]
    writes = [*ONES, write(200, "far")]

    result = await run(service, *writes)

    assert sorted(result.durable) == ["far", "w1", "w2", "w3", "w4", "w5"]
    assert service.refreshed == 2
    assert {where for where, _ in service.sent[1:]} <= {"0", "1"}


async def test_what_is_rejected_for_good_is_blamed_alone() -> None:
    """It was sent once more by itself. The next write of its stream is sent all the same."""
    service = Service(planned=[results(201, 400, 413)], refused=("w2", "w3"))

    result = await run(service, *ONES, write(2, "next"))

    assert service.sent[1:] == [("-", ["w2"]), ("-", ["w3"]), ("0", ["next"])]
    assert result.rejected == ["w2", "w3"]
    assert sorted(result.durable) == ["next", "w1", "w4", "w5"]


@pytest.mark.parametrize(
    ("answer", "refused"),
    [
        (results(201, 405), []),
        (results(201, 400, 405, 413), ["w2", "w4"]),
        (results(201, 429, 405, retryAfterMilliseconds=10), []),
        (results(201, 400, 424, 424, 424), ["w2"]),
        (results(201, 429, 424, 424, retryAfterMilliseconds=10), []),
    ],
)
async def test_every_write_is_durable_or_blamed_whatever_some_are_answered(
    answer: Answer, refused: list[str]
) -> None:
    """An error that is nobody's fault takes no write along."""
    service = Service(planned=[answer], refused=tuple(refused))

    result = await run(service, *ONES)

    assert result.rejected == refused
    assert sorted([*result.durable, *refused]) == ["w1", "w2", "w3", "w4", "w5"]


async def test_a_wrong_key_stops_it_at_once() -> None:
    """What was durable before is told."""
    service = Service(planned=[results(201, 403)])

    with pytest.raises(ConfigurationError):
        await run(service, *ONES)

    assert len(service.sent) == 1


async def test_the_budget_ends_it() -> None:
    """Nothing is sent after its end."""
    service = Service(planned=[results(201, 429, retryAfterMilliseconds=5_000)] * 9)

    with pytest.raises(DeadlineExceededError):
        await run(service, *ONES, seconds=2.0)

    assert len(service.sent) == 1


async def test_a_slot_is_not_waited_for_beyond_the_budget() -> None:
    """As where streams are written by themselves."""
    service = Service()

    with pytest.raises(DeadlineExceededError):
        await run(service, *ONES, seconds=0.01, slots=0)

    assert service.sent == []


@pytest.mark.parametrize("status", [400, 405, 501])
async def test_an_endpoint_without_the_form_is_noticed_once(
    status: int, caplog: pytest.LogCaptureFixture
) -> None:
    """And said; from then on streams are written one by one."""
    service = Service(planned=[failing(refusal(status))] * 9)

    result = await run(service, *ONES, write(2, "next"))

    assert [where for where, _ in service.sent] == ["0", "-", "-", "-", "-", "-"]
    assert sorted(result.durable) == ["next", "w1", "w2", "w3", "w4", "w5"]
    assert caplog.text.count("bulk.disabled") == 1


async def test_it_can_be_switched_off(caplog: pytest.LogCaptureFixture) -> None:
    """BulkWritesEnabled=off: nothing is said then."""
    caplog.set_level(logging.INFO)
    service = Service()

    await run(service, *ONES, bulk=BulkMode(enabled=False))

    assert {where for where, _ in service.sent} == {"-"}
    assert "bulk.disabled" not in caplog.text


async def test_ids_that_somebody_else_has_just_read_are_read_again() -> None:
    """The SDK keeps what it has read, and then there is no answer to see."""

    class Kept(Service):
        def read_feed_ranges(self, *, raw_response_hook: Any = None, **options: Any) -> Any:
            hook = raw_response_hook if self.refreshed else lambda _: None
            return super().read_feed_ranges(raw_response_hook=hook, **options)

    service = Kept()

    await run(service, *ONES)

    assert [where for where, _ in service.sent] == ["0"]


@pytest.mark.parametrize(("status", "sub_status"), [(400, 0), (403, 1014), (413, 0)])
async def test_a_write_is_blamed_for_what_it_is_itself(status: int, sub_status: int) -> None:
    """Malformed, for a stream that is full, or too large; others are written."""
    service = Service(
        planned=[results(201, status, subStatusCode=sub_status)],
        refused=("w2",),
        refusal={"status": status, "subStatusCode": sub_status},
    )

    result = await run(service, *ONES)

    assert result.rejected == ["w2"]
    assert sorted(result.durable) == ["w1", "w3", "w4", "w5"]


async def test_a_write_is_not_blamed_for_its_company(caplog: pytest.LogCaptureFixture) -> None:
    """What is refused in a bulk request may be accepted alone; the form works for the others."""
    service = Service(planned=[results(201, 400)])
    bulk = BulkMode()

    result = await run(service, *ONES, write(2, "next"), bulk=bulk)

    assert service.sent[1:] == [("-", ["w2"]), ("0", ["next"])]
    assert sorted(result.durable) == ["next", "w1", "w2", "w3", "w4", "w5"]
    assert bulk.enabled
    assert "bulk.disabled" not in caplog.text


async def test_a_form_that_refuses_everything_is_switched_off(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Nothing is blamed but what is refused alone as well, and it is said once."""
    service = Service(planned=[results(*[400] * 5)] * 9, refused=("w2",))
    bulk = BulkMode()

    result = await run(service, *ONES, write(3, "next"), bulk=bulk)

    assert [where for where, _ in service.sent] == ["0", "-", "-", "-", "-", "-", "-"]
    assert result.rejected == ["w2"]
    assert sorted(result.durable) == ["next", "w1", "w3", "w4", "w5"]
    assert not bulk.enabled
    assert caplog.text.count("bulk.disabled") == 1


async def test_bad_documents_do_not_switch_the_form_off() -> None:
    """They are refused alone as well."""
    service = Service(planned=[results(400, 413)], refused=("w1", "w2"))
    bulk = BulkMode()

    result = await run(service, *ONES[:2], write(1, "next"), bulk=bulk)

    assert result.rejected == ["w1", "w2"]
    assert result.durable == ["next"]
    assert bulk.enabled


async def test_a_service_that_hides_its_partitions_ids_is_served_stream_by_stream() -> None:
    """The form needs them."""

    class Hiding(Service):
        async def read_feed_ranges(self, **options: Any) -> Any:
            async for feed_range in super().read_feed_ranges(raw_response_hook=lambda _: None):
                yield feed_range

    service = Hiding()

    result = await run(service, *ONES)

    assert {where for where, _ in service.sent} == {"-"}
    assert len(result.durable) == 5


async def test_requests_are_filled_before_another_one_is_begun() -> None:
    """A few writes that are ready wait for those that are on their way: requests cost most."""
    service = Service()

    await run(service, *(write(user, f"{user}-{nth}") for nth in range(7) for user in range(120)))

    assert len(service.sent) == 9
    assert len(service.documents) == 840
