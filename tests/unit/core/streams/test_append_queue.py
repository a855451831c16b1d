from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from core.errors import (
    DeadlineExceededError,
    EngineError,
    PositionConflictError,
    RejectedByCosmosError,
    TransientError,
)
from core.streams.append_queue import AppendQueue
from core.streams.appends import Append, Head
from core.streams.keys import Appended, IdempotencyKey
from core.throttling.deadline import Deadline
from tests.support import FakeTime, until

Answer = Appended | EngineError | None


class Sender:
    """Answers each append with its place; the first request can be held back."""

    def __init__(self) -> None:
        self.requests: list[list[str]] = []
        self.answers: list[Sequence[Answer] | BaseException] = []
        self.go_on = asyncio.Event()

    async def append(self, stream_id: str, group: Sequence[Append]) -> Sequence[Answer]:
        assert {append.stream_id for append in group} == {stream_id}
        self.requests.append([append.token for append in group])
        await self.go_on.wait()
        answer = self.answers.pop(0) if self.answers else None
        if isinstance(answer, BaseException):
            raise answer
        return answer or [Appended(int(append.token, 36), 1) for append in group]

    async def is_asked(self) -> bool:
        return bool(self.requests)


@pytest.fixture
def sender() -> Sender:
    return Sender()


@pytest.fixture
def queue(sender: Sender) -> AppendQueue:
    opened: Any = sender
    return AppendQueue(opened)


def append(name: str, *, stream: str = "s", events: int = 1, **changes: Any) -> Append:
    given: dict[str, Any] = {"deadline": FakeTime().deadline(), **changes}
    return Append(stream_id=stream, events=[{"meta": {}}] * events, token=name, **given)


async def test_appends_gather_while_a_request_is_on_its_way(
    queue: AppendQueue, sender: Sender
) -> None:
    """And go together in the next one, in their order."""
    first = asyncio.create_task(queue.append(append("a")))
    await until(sender.is_asked)
    rest = [asyncio.create_task(queue.append(append(name))) for name in "bcd"]
    await asyncio.sleep(0)

    sender.go_on.set()
    answers = await asyncio.gather(first, *rest)

    assert sender.requests == [["a"], ["b", "c", "d"]]
    assert [answer.position for answer in answers] == [10, 11, 12, 13]


async def test_streams_do_not_wait_for_each_other(queue: AppendQueue, sender: Sender) -> None:
    """Each has its own requests."""
    tasks = [asyncio.create_task(queue.append(append(name, stream=name))) for name in "st"]
    for _ in range(3):
        await asyncio.sleep(0)

    assert sender.requests == [["s"], ["t"]]
    sender.go_on.set()
    await asyncio.gather(*tasks)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param({"events": 40}, [["a", "b"], ["c", "d"]], id="100 events"),
        pytest.param({"key": IdempotencyKey("k", "")}, [["a"], ["b"], ["c"], ["d"]], id="one key"),
        pytest.param({"expected": Head(0, "")}, [["a"], ["b"], ["c"], ["d"]], id="alone"),
    ],
)
async def test_a_request_takes_what_fits(
    queue: AppendQueue, sender: Sender, changes: dict[str, Any], expected: list[list[str]]
) -> None:
    """The others wait for the next one."""
    tasks = [asyncio.create_task(queue.append(append(name, **changes))) for name in "abcd"]
    await until(sender.is_asked)

    sender.go_on.set()
    await asyncio.gather(*tasks)

    assert sender.requests == expected


async def test_each_append_has_its_own_answer(queue: AppendQueue, sender: Sender) -> None:
    """An error is that of one; what has no answer yet is sent again, before what came later."""
    sender.answers = [[Appended(1, 1), PositionConflictError("no"), None]]
    tasks = [asyncio.create_task(queue.append(append(name))) for name in "abc"]
    await until(sender.is_asked)
    late = asyncio.create_task(queue.append(append("d")))
    await asyncio.sleep(0)

    sender.go_on.set()
    answers = await asyncio.gather(*tasks, late, return_exceptions=True)

    assert sender.requests == [["a", "b", "c"], ["c", "d"]]
    assert answers[0] == Appended(1, 1)
    assert isinstance(answers[1], PositionConflictError)
    assert answers[2:] == [Appended(12, 1), Appended(13, 1)]


async def test_a_rejected_request_is_sent_append_by_append(
    queue: AppendQueue, sender: Sender
) -> None:
    """Nothing of it is stored, and it may be the fault of one."""
    rejected = [RejectedByCosmosError("too large", status=413) for _ in range(2)]
    sender.answers = [rejected[0], [Appended(1, 1)], rejected[1]]
    tasks = [asyncio.create_task(queue.append(append(name))) for name in "abc"]
    sender.go_on.set()

    answers = await asyncio.gather(*tasks, return_exceptions=True)

    assert sender.requests == [["a", "b", "c"], ["a"], ["b"], ["c"]]
    assert answers == [Appended(1, 1), rejected[1], Appended(12, 1)]


async def test_nothing_is_sent_again_if_its_outcome_is_unknown(
    queue: AppendQueue, sender: Sender
) -> None:
    """It may be stored, so all of the group are told so; those behind it are sent."""
    unknown = DeadlineExceededError("no reply")
    sender.answers = [unknown]
    tasks = [asyncio.create_task(queue.append(append(name))) for name in "ab"]
    await until(sender.is_asked)
    late = asyncio.create_task(queue.append(append("c")))
    await asyncio.sleep(0)
    sender.go_on.set()

    assert await asyncio.gather(*tasks, return_exceptions=True) == [unknown, unknown]
    assert await late == Appended(12, 1)
    assert sender.requests == [["a", "b"], ["c"]]


async def test_a_caller_that_went_away_does_not_disturb_the_others(
    queue: AppendQueue, sender: Sender
) -> None:
    """What was sent may be stored; what was not is not sent any more."""
    tasks = [asyncio.create_task(queue.append(append(name))) for name in "ab"]
    await until(sender.is_asked)
    waiting = [asyncio.create_task(queue.append(append(name))) for name in "cd"]
    await asyncio.sleep(0)
    tasks[0].cancel()
    waiting[0].cancel()
    await asyncio.sleep(0)

    sender.go_on.set()
    await asyncio.wait_for(asyncio.gather(tasks[1], waiting[1]), 5)

    assert sender.requests == [["a", "b"], ["d"]]


async def test_a_caller_waits_until_its_own_deadline(queue: AppendQueue, sender: Sender) -> None:
    """Though others who share its request have more time."""
    patient = asyncio.create_task(queue.append(append("a")))
    with pytest.raises(DeadlineExceededError, match="appending to stream s"):
        await queue.append(append("b", deadline=Deadline.after(0.01)))

    sender.go_on.set()

    assert await patient == Appended(10, 1)


async def test_a_stream_can_be_appended_to_after_a_failure(
    queue: AppendQueue, sender: Sender
) -> None:
    """Nothing is left behind."""
    sender.answers = [TransientError("away") for _ in range(2)]
    sender.go_on.set()

    for _ in range(2):
        with pytest.raises(TransientError):
            await queue.append(append("a"))
    assert await queue.append(append("a")) == Appended(10, 1)
    assert queue._waiting == {}


async def test_what_nobody_expected_concerns_those_only_who_were_sent(
    queue: AppendQueue, sender: Sender
) -> None:
    """Those behind them in the queue are sent as well."""
    sender.answers = [TypeError("a bug")]
    first = asyncio.create_task(queue.append(append("a")))
    await until(sender.is_asked)
    second = asyncio.create_task(queue.append(append("b")))
    await asyncio.sleep(0)
    sender.go_on.set()

    with pytest.raises(TypeError):
        await asyncio.wait_for(first, 5)
    assert await asyncio.wait_for(second, 5) == Appended(11, 1)


async def test_nobody_is_left_waiting_when_sending_is_cancelled(
    queue: AppendQueue, sender: Sender
) -> None:
    """Those behind in the queue are told as well."""
    sender.answers = [asyncio.CancelledError()]
    sender.go_on.set()
    work = [queue.append(append(name, events=60)) for name in "ab"]
    running = asyncio.gather(*work, return_exceptions=True)
    await asyncio.sleep(0)
    workers = list(queue._workers)

    results = await asyncio.wait_for(running, 5)

    assert [type(result) for result in results] == [asyncio.CancelledError] * 2
    await asyncio.gather(*workers, return_exceptions=True)
    assert queue._waiting == {}


async def test_closing_ends_what_is_being_sent(queue: AppendQueue, sender: Sender) -> None:
    """No task goes on behind a client that is closed."""
    first = asyncio.create_task(queue.append(append("1")))
    await until(sender.is_asked)

    await queue.close()

    with pytest.raises(asyncio.CancelledError):
        await first
    assert [task for task in asyncio.all_tasks() if task.get_name() == "append s"] == []
