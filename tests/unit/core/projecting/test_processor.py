from __future__ import annotations

import asyncio
import json
import logging
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from types import SimpleNamespace
from typing import Any
from unittest.mock import AsyncMock

import pytest
from azure.core.exceptions import ServiceResponseError
from azure.core.pipeline.transport import HttpRequest

from core import projection
from core.errors import DeadlineExceededError, ProjectionBlockedError
from core.model.registry import ProjectionModule
from tests.apps.follows.followship import Followed, WasFollowed, followers
from tests.support import (
    FakeTime,
    MemoryContainer,
    Query,
    followed,
    processor,
    refusal,
    stream,
    user,
)

MODULE = ProjectionModule(name="followship", projections=(followers,))
BATCH = [followed(1, 2), followed(1, 3), followed(4, 2)]


async def test_a_batch_delivered_twice_leaves_the_same_documents() -> None:
    """Not one document more."""
    container, clock = MemoryContainer(), FakeTime()
    engine = processor(container, MemoryContainer(), clock)

    first = await engine.process(MODULE, BATCH, clock.deadline())
    once = dict(container.documents)
    second = await engine.process(MODULE, BATCH, clock.deadline())

    assert first.derived == second.derived == 3
    assert container.documents == once
    assert len(once) == 3


async def test_what_was_acknowledged_is_not_sent_again_on_a_retry() -> None:
    """A rewritten document would appear in the change feed once more."""
    broken = True

    async def before(name: str) -> None:
        if broken and name == stream(3):
            raise refusal(503)

    container, clock = MemoryContainer(before=before), FakeTime()
    engine = processor(container, MemoryContainer(), clock)
    with pytest.raises(DeadlineExceededError):
        await engine.process(MODULE, BATCH, clock.deadline(20.0))

    broken = False
    outcome = await engine.process(MODULE, BATCH, clock.deadline())

    assert (outcome.derived, outcome.already_written) == (3, 2)
    assert [name for name, _ in container.batches] == [stream(2), stream(2), stream(3)]


class SlowContainer(MemoryContainer):
    """Takes turns of the event loop for each request, and knows which ones were interrupted."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: Counter[str] = Counter()
        self.interrupted: set[str] = set()

    async def execute_item_batch(self, *arguments: Any, **options: Any) -> Any:
        request = HttpRequest("POST", "", headers={"x-ms-documentdb-partitionkey": "[]"})
        options["raw_request_hook"](SimpleNamespace(http_request=request))
        ids = {operation["resourceBody"]["id"] for operation in json.loads(bytes(request.data))}  # type: ignore[arg-type] # bytes
        self.sent.update(ids)
        try:
            await asyncio.sleep(0)
            results = await super().execute_item_batch(*arguments, **options)
            await asyncio.sleep(0)
        except asyncio.CancelledError:
            self.interrupted |= ids
            raise
        return results


@pytest.mark.parametrize("streams", [1, 2, 250])
async def test_after_a_cancellation_only_interrupted_requests_are_sent_again(streams: int) -> None:
    """At whatever turn of the event loop it comes: what was acknowledged is known."""
    batch = [followed(number + 1000, number % streams + 1) for number in range(250)]
    turns, interrupted, is_cancelled = 0, 0, True
    while is_cancelled:
        container, clock = SlowContainer(), FakeTime()
        engine = processor(container, MemoryContainer(), clock)
        attempt = asyncio.create_task(engine.process(MODULE, batch, clock.deadline()))
        for _ in range(turns):
            await asyncio.sleep(0)
        attempt.cancel()
        with suppress(asyncio.CancelledError):
            await attempt
        is_cancelled = attempt.cancelled()  # not if the last request was answered meanwhile
        acknowledged = set(container.sent) - container.interrupted
        if is_cancelled:
            outcome = await engine.process(MODULE, batch, clock.deadline())
            assert (outcome.derived, outcome.already_written) == (250, len(acknowledged))
        turns, interrupted = turns + 1, interrupted + len(container.interrupted)

        assert len(container.documents) == 250
        assert {document_id for document_id, times in container.sent.items() if times > 1} <= (
            container.interrupted
        )
    assert turns > 20
    assert interrupted > 250


async def test_poison_is_parked_and_the_rest_is_written() -> None:
    """Both are durable when the batch is done."""
    container, letters, clock = MemoryContainer(), MemoryContainer(), FakeTime()
    poison = followed(5, 6, data={"user_id": "no"})

    outcome = await processor(container, letters, clock).process(
        MODULE, [BATCH[0], poison, BATCH[1]], clock.deadline()
    )

    assert (outcome.derived, outcome.parked) == (2, 1)
    assert len(container.documents) == 2
    assert [document["eventId"] for document in letters.documents.values()] == ["5-6"]


async def test_a_batch_is_not_done_before_its_poison_is_parked() -> None:
    """Otherwise the event would be lost with the checkpoint; the retry parks it."""
    container, letters, clock = MemoryContainer(), MemoryContainer(), FakeTime()
    engine = processor(container, letters, clock)
    batch = [{"id": "x"}, followed(1, 2)]
    create = letters.create_item

    async def fail(_: object) -> None:
        raise ServiceResponseError("away")

    letters.create_item = fail  # type: ignore[method-assign,assignment] # the case
    with pytest.raises(DeadlineExceededError):
        await engine.process(MODULE, batch, clock.deadline(1.0))
    letters.create_item = create  # type: ignore[method-assign] # as above

    outcome = await engine.process(MODULE, batch, clock.deadline())

    assert (outcome.derived, outcome.already_written, outcome.parked) == (1, 1, 1)
    assert len(letters.documents) == len(container.batches) == 1


@projection(name="ordered.out", on_failure="park_stream")
def ordered(event: Followed) -> Iterator[WasFollowed]:
    yield WasFollowed(user_id=event.to_follow, follower=event.user_id)


ROW = {"id": "x", "streamId": stream(1), "streamOrder": "0"}


async def test_letters_are_read_again_where_they_cannot_be_read() -> None:
    """Only those of the module and the batch, and only what tells the order."""
    asked = list[tuple[str, dict[str, Any]]]()

    class Letters(MemoryContainer):
        def query_items(self, *values: Any, **options: Any) -> Any:
            (text,), parameters = values, options["parameters"]
            asked.append((text, {one["name"]: one["value"] for one in parameters}))
            return Query([]) if "state = 'blocking'" in text else OneResult([ROW])

    class OneResult(Query):
        async def by_page(self, _: str | None = None) -> Any:
            if len(asked) == 1:
                raise refusal(429, retry_after_ms=10)
            yield self

    clock, module = FakeTime(), ProjectionModule(name="ordered", projections=(ordered,))

    outcome = await processor(MemoryContainer(), Letters(), clock).process(
        module, [followed(1, 2), followed(4, 2)], clock.deadline()
    )

    assert (outcome.derived, outcome.parked) == (1, 1)
    texts, parameters = zip(*asked, strict=True)
    assert not any("*" in text for text in texts)
    assert {one["@module"] for one in parameters} == {"ordered"}
    assert {name for one in parameters for name in one.get("@streams", ())} == {
        *(stream(1), stream(4))
    }


async def test_logs_carry_no_payload(caplog: pytest.LogCaptureFixture) -> None:
    """Names and counts, never what an event holds."""
    caplog.set_level(logging.DEBUG)
    clock = FakeTime()
    poison = followed(5, 6, data={"user_id": "S3CRET", "to_follow": "S3CRET"})

    await processor(MemoryContainer(), MemoryContainer(), clock).process(
        MODULE, [poison], clock.deadline()
    )

    assert "event.parked" in caplog.text
    assert "S3CRET" not in caplog.text


@projection(name="strict.out", on_failure="block")
def strict(event: Followed) -> Iterator[WasFollowed]:
    """Cannot follow user 13."""
    if event.to_follow == user(13):
        raise ValueError("unlucky")
    yield WasFollowed(user_id=event.to_follow, follower=event.user_id)


async def test_while_a_line_waits_nothing_is_written_again() -> None:
    """Each attempt tries only what blocks it; a rewritten document would appear downstream."""
    letters, clock = AsyncMock(), FakeTime()
    letters.record_block.return_value = True
    container = MemoryContainer()
    engine = replace(processor(container, None, clock), dead_letters=letters)
    module = ProjectionModule(name="strict", projections=(followers, strict))
    batch = [followed(1, 2), followed(1, 13), followed(1, 3)]

    for _ in range(3):
        with pytest.raises(ProjectionBlockedError):
            await engine.process(module, batch, clock.deadline())

    assert len(container.documents) == len(container.batches) == 5
    assert [call.args[0].cause.event_id for call in letters.record_block.await_args_list] == [
        "1-13"
    ] * 3
