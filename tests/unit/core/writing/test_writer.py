from __future__ import annotations

import asyncio
import json
from types import SimpleNamespace
from typing import Any
from unittest.mock import AsyncMock, create_autospec

import pytest
from azure.core.exceptions import ServiceResponseError
from azure.core.pipeline.transport import HttpRequest
from azure.cosmos.aio import ContainerProxy

from core.errors import ConfigurationError, DeadlineExceededError, RejectedByCosmosError
from core.throttling.rate_limiters import RateLimiters
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


def write(user: int, number: int) -> Write:
    name = stream(user)
    body = json.dumps({"id": str(number), "streamId": name}).encode()
    return Write(stream_id=name, id=str(number), body=body, cause=CAUSE)


async def run(
    container: Any,
    writes: list[Write],
    clock: FakeTime,
    *,
    seconds: float = 60.0,
    slots: int = 32,
    outcome: WriteResults | None = None,
) -> WriteResults:
    """Write stream by stream; for the other form see test_bulk_writer."""
    outcome = outcome or WriteResults()
    bulk, limit = BulkMode(enabled=False), asyncio.Semaphore(slots)
    stream_by_stream = writer(container, clock, bulk=bulk, slots=limit)
    await outcome.take(stream_by_stream, writes, clock.deadline(seconds))
    return outcome


DONE = [{"statusCode": 201}]


def sdk_container(*answers: Any) -> Any:
    """The SDK's container client, mocked: each answer is returned or raised in turn."""
    container = create_autospec(ContainerProxy, instance=True)
    container.id = "events"
    container.execute_item_batch = AsyncMock(side_effect=answers)
    container.read_feed_ranges = MemoryContainer().read_feed_ranges
    return container


async def test_a_batch_is_one_call_of_the_sdk() -> None:
    """All operations are upserts into one logical partition."""
    container = sdk_container(DONE * 2)

    await run(container, [write(1, 1), write(1, 2)], FakeTime())

    _, key = container.execute_item_batch.await_args.args
    request = HttpRequest("POST", "", headers={"x-ms-documentdb-partitionkey": "[]"})
    hook = container.execute_item_batch.await_args.kwargs["raw_request_hook"]
    hook(SimpleNamespace(http_request=request))
    assert key == stream(1)
    body = str(request.data, "utf-8")  # type: ignore[arg-type] # bytes
    assert json.loads(body) == [
        {"operationType": "Upsert", "resourceBody": {"id": "1", "streamId": stream(1)}},
        {"operationType": "Upsert", "resourceBody": {"id": "2", "streamId": stream(1)}},
    ]
    assert request.headers["Content-Length"] == str(len(body))
    assert "x-ms-documentdb-partitionkey" in request.headers


@pytest.mark.parametrize(
    ("failure", "waited"),
    [
        pytest.param(refusal(429, retry_after_ms=700), 0.7, id="429 with a hint"),
        pytest.param(refusal(429), 0.05, id="429 without a hint"),
        pytest.param(
            batch_refusal(429, at=0, of=1, retryAfterMilliseconds=300), 0.3, id="429 in a batch"
        ),
        pytest.param(refusal(449), 0.05, id="449"),
        pytest.param(ServiceResponseError("reset"), 0.05, id="lost reply"),
        pytest.param(refusal(503), 0.05, id="503"),
        pytest.param(asyncio.TimeoutError(), 0.05, id="no reply in time"),
    ],
)
async def test_what_passes_by_itself_is_tried_again(failure: Exception, waited: float) -> None:
    """The same batch, after the wait that the failure calls for."""
    clock = FakeTime()
    container = sdk_container(failure, DONE)

    outcome = await run(container, [write(1, 1)], clock)

    first, second = container.execute_item_batch.await_args_list
    assert first.args == second.args
    assert waited <= sum(clock.slept) <= waited + 0.1
    assert outcome.stats.requests == 2


async def test_order_inside_a_stream_is_kept() -> None:
    """The second batch is sent when the first is durable."""
    container = MemoryContainer()

    await run(container, [write(1, number) for number in range(250)], FakeTime())

    sent = [document["id"] for _, batch in container.batches for document in batch]
    assert sent == [str(number) for number in range(250)]


async def test_streams_are_written_side_by_side_up_to_the_limit() -> None:
    """The limit counts requests in flight."""
    flying, most = 0, 0

    async def before(_: str) -> None:
        nonlocal flying, most
        flying += 1
        most = max(most, flying)
        for _turn in range(50):
            await asyncio.sleep(0)
        flying -= 1

    container = MemoryContainer(before=before)

    await run(container, [write(user, 1) for user in range(50)], FakeTime(), slots=7)

    assert most == 7
    assert len(container.documents) == 50


async def test_a_batch_that_waits_holds_no_slot() -> None:
    """A throttled partition must not hold up the others."""
    clock = FakeTime()
    hot, cold = stream(1), stream(200)
    refused = 3
    order: list[str] = []

    async def before(name: str) -> None:
        nonlocal refused
        if name == hot and refused:
            refused -= 1
            raise refusal(429, retry_after_ms=1000)
        order.append(name)

    container = MemoryContainer(partitions=2, before=before)

    await run(container, [write(1, 1), write(200, 1)], clock, slots=1)

    assert order == [cold, hot]


@pytest.mark.parametrize(("streams", "count"), [(400, 4), (10, 50)], ids=["bulk", "one by one"])
async def test_two_modules_take_turns_at_a_partition(streams: int, count: int) -> None:
    """The one that comes second is served beside the first one, not behind it."""
    clock, order = FakeTime(), list[bool]()

    class Noting(MemoryContainer):
        async def execute_item_batch(self, *arguments: Any, **options: Any) -> Any:
            order.append(int(arguments[1][-4:], 16) < 1_000)
            return await super().execute_item_batch(*arguments, **options)

    container: Any = Noting()
    limiters = RateLimiters(clock=clock, sleep=clock.sleep)
    shared = writer(container, clock, limiters=limiters)
    limiter = limiters.for_partition("")
    limiter.on_throttled(limiter.reserve(1), 1.0)

    def writes(first: int) -> list[Write]:
        return [write(first + user, number) for number in range(count) for user in range(streams)]

    deadline = clock.deadline(600.0)
    await asyncio.gather(
        *(WriteResults().take(shared, writes(first), deadline) for first in (1, 1_001))
    )

    assert len(container.documents) == 2 * streams * count
    first, shared_turns = order.index(False), order[order.index(False) :][: len(order) // 2]
    assert first < len(order) // 2
    assert min(shared_turns.count(turn) for turn in (True, False)) > len(shared_turns) // 4


async def test_a_slot_is_not_waited_for_beyond_the_budget() -> None:
    """Requests that hang keep theirs for long; what comes behind them is not sent late."""
    container = MemoryContainer()

    with pytest.raises(DeadlineExceededError):
        await run(container, [write(1, 1), write(2, 1)], FakeTime(), slots=0, seconds=0.01)

    assert container.batches == []


async def test_one_failing_stream_does_not_stop_the_others() -> None:
    """What was acknowledged is told, so that it is not sent again."""
    outcome = WriteResults()

    async def before(name: str) -> None:
        if name == stream(1):
            raise refusal(503)

    container = MemoryContainer(before=before)

    with pytest.raises(DeadlineExceededError):
        await run(container, [write(1, 1), write(2, 2)], FakeTime(), outcome=outcome, seconds=1.0)

    assert outcome.durable == ["2"]


async def test_configuration_is_told_before_a_spent_budget() -> None:
    """It is what somebody has to correct."""

    async def before(name: str) -> None:
        raise refusal(403 if name == stream(2) else 503)

    with pytest.raises(ConfigurationError):
        await run(MemoryContainer(before=before), [write(1, 1), write(2, 1)], FakeTime())


async def test_a_split_is_noticed() -> None:
    """410: the physical partitions are read anew."""
    gone = [refusal(410, sub_status=1002)]

    async def before(_: str) -> None:
        if gone:
            raise gone.pop()

    container = MemoryContainer(before=before)

    await run(container, [write(1, 1)], FakeTime())

    assert container.refreshed == 2


async def test_request_charges_are_summed_up() -> None:
    """As the service tells them."""
    outcome = await run(MemoryContainer(), [write(1, 1), write(2, 1)], FakeTime())

    assert outcome.stats.request_charge == 20.0


async def test_of_a_rejected_batch_only_what_is_to_blame_is_left_out() -> None:
    """The others are written one by one, in their order."""
    container = sdk_container(
        batch_refusal(400, at=1, of=3), DONE, batch_refusal(413, at=0, of=1), DONE
    )
    writes = [write(1, 1), write(1, 2), write(1, 3)]

    outcome = await run(container, writes, FakeTime())

    assert outcome.rejected == ["2"]
    assert outcome.durable == ["1", "3"]


@pytest.mark.parametrize("status", [405, 415])
async def test_other_errors_are_nobodys_fault(status: int) -> None:
    """They stop the batch; no event is blamed."""
    outcome = WriteResults()

    with pytest.raises(RejectedByCosmosError):
        await run(sdk_container(refusal(status)), [write(1, 1)], FakeTime(), outcome=outcome)

    assert outcome.rejected == []


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param([], id="no result"),
        pytest.param(DONE * 2, id="more results"),
        pytest.param([{}], id="without a status"),
        pytest.param([{"statusCode": None}], id="status of another type"),
        pytest.param([{"statusCode": 299}], id="not written"),
        pytest.param([{"statusCode": 304}], id="unchanged"),
        pytest.param(["x"], id="no object"),
        pytest.param({"id": "1"}, id="another response"),
        pytest.param(None, id="empty"),
    ],
)
async def test_an_answer_to_something_else_counts_as_none(answer: list[Any]) -> None:
    """One result for each document; otherwise the batch is sent again."""
    container = sdk_container(answer, DONE)

    outcome = await run(container, [write(1, 1)], FakeTime())

    assert (outcome.durable, outcome.stats.requests) == (["1"], 2)
