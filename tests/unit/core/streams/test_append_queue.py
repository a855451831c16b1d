from __future__ import annotations

import asyncio

import pytest

from core.errors import ConflictError, TransientError
from core.streams.append_queue import AppendQueue
from tests.support import Document, FakeTime, until

BUDGET = FakeTime().deadline()


class Store:
    """Takes what is sent; rejects what it has; the first request can be held back."""

    def __init__(self) -> None:
        self.requests: list[list[str]] = []
        self.stored: list[str] = []
        self.go_on = asyncio.Event()

    async def was_asked(self) -> bool:
        return bool(self.requests)

    async def send(self, stream_id: str, documents: list[Document], _: object) -> None:
        ids = [document["id"] for document in documents]
        self.requests.append(ids)
        await self.go_on.wait()
        if len(set(ids)) < len(ids) or set(ids) & set(self.stored):
            raise ConflictError(f"conflict in {stream_id}")
        self.stored += ids


def documents(*ids: str) -> list[Document]:
    return [{"id": document_id} for document_id in ids]


async def test_appends_gather_while_a_request_is_on_its_way() -> None:
    """And go together in the next one, in their order."""
    store = Store()
    coalescer = AppendQueue(store.send)
    appends = [
        asyncio.create_task(coalescer.append("s", documents(f"{n}a", f"{n}b"), BUDGET))
        for n in range(3)
    ]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    late = asyncio.create_task(coalescer.append("s", documents("late"), BUDGET))
    await asyncio.sleep(0)

    store.go_on.set()
    await asyncio.gather(*appends, late)

    assert store.requests == [["0a", "0b", "1a", "1b", "2a", "2b"], ["late"]]
    assert store.stored == ["0a", "0b", "1a", "1b", "2a", "2b", "late"]


async def test_streams_do_not_wait_for_each_other() -> None:
    """Each has its own requests."""
    store = Store()
    coalescer = AppendQueue(store.send)
    work = [coalescer.append(name, documents(name), BUDGET) for name in ("s", "t")]
    tasks = [asyncio.create_task(append) for append in work]
    for _ in range(3):
        await asyncio.sleep(0)

    assert store.requests == [["s"], ["t"]]
    store.go_on.set()
    await asyncio.gather(*tasks)


async def test_a_request_has_at_most_100_events() -> None:
    """An append is never divided."""
    store = Store()
    store.go_on.set()
    coalescer = AppendQueue(store.send)
    work = [
        coalescer.append("s", documents(*(f"{n}-{m}" for m in range(40))), BUDGET) for n in range(5)
    ]

    await asyncio.gather(*work)

    assert [len(request) for request in store.requests] == [80, 80, 40]


async def test_each_append_fails_for_itself() -> None:
    """One that is rejected does not spoil those it was sent with."""
    store = Store()
    store.stored.append("there")
    store.go_on.set()
    coalescer = AppendQueue(store.send)
    work = [coalescer.append("s", documents(name), BUDGET) for name in ("a", "there", "b")]

    results = await asyncio.gather(*work, return_exceptions=True)

    assert [type(result) for result in results] == [type(None), ConflictError, type(None)]
    assert store.stored == ["there", "a", "b"]


async def test_the_same_event_twice_at_once_is_stored_once() -> None:
    """A client that repeats its request before the first is answered."""
    store = Store()
    store.go_on.set()
    coalescer = AppendQueue(store.send)

    results = await asyncio.gather(
        *(coalescer.append("s", documents("a"), BUDGET) for _ in range(3)),
        return_exceptions=True,
    )

    assert store.stored == ["a"]
    assert [type(result) for result in results] == [type(None), ConflictError, ConflictError]


async def test_a_caller_that_went_away_does_not_disturb_the_others() -> None:
    """Its events may be stored; it cannot know."""
    store = Store()
    coalescer = AppendQueue(store.send)
    tasks = [
        asyncio.create_task(coalescer.append("s", documents(name), BUDGET)) for name in ("a", "b")
    ]
    await asyncio.sleep(0)
    tasks[0].cancel()

    store.go_on.set()
    await asyncio.wait_for(tasks[1], 5)

    assert store.stored == ["a", "b"]


async def test_a_stream_can_be_appended_to_after_a_failure() -> None:
    """Nothing is left behind."""

    async def fail(*_: object) -> None:
        raise TransientError("away")

    coalescer = AppendQueue(fail)

    for _ in range(2):
        with pytest.raises(TransientError):
            await coalescer.append("s", documents("a"), BUDGET)
    assert coalescer._waiting == {}


async def test_what_nobody_expected_concerns_those_only_who_were_sent() -> None:
    """Those behind them in the queue are sent as well."""
    store = Store()

    async def send(stream_id: str, documents: list[Document], deadline: object) -> None:
        await store.send(stream_id, documents, deadline)
        if documents[0]["id"] == "a":
            raise TypeError("a bug")

    coalescer = AppendQueue(send)
    first = asyncio.create_task(coalescer.append("s", documents("a"), BUDGET))
    await until(store.was_asked)
    second = asyncio.create_task(coalescer.append("s", documents("b"), BUDGET))
    await asyncio.sleep(0)
    store.go_on.set()

    with pytest.raises(TypeError):
        await asyncio.wait_for(first, 5)
    await asyncio.wait_for(second, 5)

    assert store.stored == ["a", "b"]


@pytest.mark.parametrize("error", [ValueError("a bug"), asyncio.CancelledError()])
async def test_nobody_is_left_waiting_when_sending_breaks(error: BaseException) -> None:
    """Whatever breaks it; those behind in the queue are told as well."""

    async def broken(*_: object) -> None:
        await asyncio.sleep(0)
        raise error

    coalescer = AppendQueue(broken)
    work = [coalescer.append("s", documents(*(f"{n}{m}" for m in range(60))), BUDGET) for n in "ab"]
    running = asyncio.gather(*work, return_exceptions=True)
    await asyncio.sleep(0)
    senders = list(coalescer._senders)

    results = await asyncio.wait_for(running, 5)

    assert [isinstance(result, (ValueError, asyncio.CancelledError)) for result in results] == [
        True
    ] * 2
    await asyncio.gather(*senders, return_exceptions=True)
    assert coalescer._waiting == {}
