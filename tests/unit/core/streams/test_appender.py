"""The protocol of appending, over a container in memory: what is in the way, and what it means."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from core.errors import (
    ConfigurationError,
    DeadlineExceededError,
    EngineError,
    IdempotencyKeyReusedError,
    PositionConflictError,
    ReservedIdError,
)
from core.streams.appender import Heads
from core.streams.appends import Head
from core.streams.keys import Appended, IdempotencyKey
from tests.hosts import LOST, Host, S, fail_once, stored
from tests.support import Document, MemoryContainer, refusal

KEY, OTHER = IdempotencyKey("k1", "1:one"), IdempotencyKey("k1", "1:two")


@pytest.mark.parametrize("where", ["before", "after"])
@pytest.mark.parametrize("joint", [False, True])
@pytest.mark.parametrize("key", [None, KEY])
async def test_a_lost_request_or_reply_is_no_second_append(
    container: MemoryContainer, hosts: Callable[..., Host], *, where: str, joint: bool, key: Any
) -> None:
    """The same documents are sent again, and the token tells whose they are."""
    host = hosts()
    await host.append("first")
    setattr(container, where, fail_once(LOST, LOST))
    names = ["on", "off", "dim"] if joint else ["on"]

    answers = await asyncio.gather(
        *(host.append(name, key=key if name == "on" else None) for name in names)
    )

    assert stored(container) == ["first", *names]
    assert [answer.position for answer in answers] == list(range(2, 2 + len(names)))


async def test_a_stale_head_costs_one_more_round(
    container: MemoryContainer, hosts: Callable[..., Host]
) -> None:
    """Whoever comes second follows the first."""
    a, b = hosts(), hosts()
    await a.append("1")
    await b.append("2")
    await b.append("3", "4")

    answer = await a.append("5")

    assert answer == Appended(5, 1)
    assert stored(container) == ["1", "2", "3", "4", "5"]


async def test_two_hosts_at_once_get_positions_of_their_own(
    container: MemoryContainer, hosts: Callable[..., Host]
) -> None:
    """However often they meet."""
    pair = [hosts(), hosts()]

    answers = await asyncio.gather(*(pair[n % 2].append(str(n)) for n in range(40)))

    assert sorted(answer.position or 0 for answer in answers) == list(range(1, 41))
    assert sorted(stored(container), key=int) == [str(n) for n in range(40)]


async def test_a_replica_that_lags_never_makes_an_append_wrong(
    container: MemoryContainer, hosts: Callable[..., Host]
) -> None:
    """Neither the head that it shows, nor that it does not show what is in the way."""
    a, b = hosts(), hosts()
    for name in ("1", "2", "3"):
        await a.append(name)
    container.lag, container.stale_reads = 2, 4

    answer = await b.append("4")

    assert answer == Appended(4, 1)
    assert stored(container) == ["1", "2", "3", "4"]


async def test_what_stays_unseen_is_unknown(
    container: MemoryContainer, hosts: Callable[..., Host]
) -> None:
    """It is neither another's nor one's own, and nothing more is sent."""
    host = hosts()
    container.after = fail_once(LOST)
    container.lag, container.stale_reads = 1, 1000

    with pytest.raises(DeadlineExceededError, match="not known whether"):
        await host.append("on")

    assert stored(container) == ["on"]
    container.stale_reads = 0
    assert await host.append("off") == Appended(2, 1)


async def test_one_key_at_once_is_one_execution(
    container: MemoryContainer, hosts: Callable[..., Host]
) -> None:
    """In one process among others, and through another one; another request is refused."""
    a, b = hosts(), hosts()
    keyed = [host.append("keyed", key=KEY) for host in (a, a, b, a, b)]
    others = [host.append("other") for host in (a, b)]

    *answers, error = await asyncio.gather(
        *keyed, *others, a.append("wrong", key=OTHER), return_exceptions=True
    )

    assert isinstance(error, IdempotencyKeyReusedError)
    assert len({str(answer) for answer in answers[:5]}) == 1
    assert sorted(stored(container)) == ["keyed", "other", "other"]


async def test_a_repetition_through_a_lagging_replica_gets_the_stored_answer(
    container: MemoryContainer, hosts: Callable[..., Host]
) -> None:
    """No look-up decides about a key."""
    answer = await hosts().append("on", "off", key=KEY)
    container.lag, container.stale_reads = 1, 3

    assert await hosts().append("on", "off", key=KEY) == answer
    assert stored(container) == ["on", "off"]


@pytest.mark.parametrize(("position", "fits"), [(2, True), (0, False), (1, False), (9, False)])
async def test_an_expected_position_is_kept(
    container: MemoryContainer, hosts: Callable[..., Host], *, position: int, fits: bool
) -> None:
    """The right one; an old one; one that nobody has seen, which would make a gap."""
    await hosts().append("1", "2")
    host = hosts()

    answer, _ = await asyncio.gather(
        host.append("3", position=position), hosts().append("x"), return_exceptions=True
    )

    assert isinstance(answer, Appended if fits else PositionConflictError)
    assert stored(container)[:2] == ["1", "2"]
    assert ("3" in stored(container)) is fits


async def test_an_expected_position_is_never_a_follower(
    container: MemoryContainer, hosts: Callable[..., Host]
) -> None:
    """Of those that go out at once, one is behind the position that it names."""
    host = hosts()
    await host.append("1")

    answers = await asyncio.gather(
        *(host.append(name, position=1) for name in "abc"), return_exceptions=True
    )

    assert sum(isinstance(answer, Appended) for answer in answers) == 1
    assert len(stored(container)) == 2


@pytest.mark.parametrize("meanwhile", [False, True])
async def test_a_repetition_with_an_expected_position_is_answered_by_its_key(
    container: MemoryContainer, hosts: Callable[..., Host], *, meanwhile: bool
) -> None:
    """What was done is not refused."""
    await hosts().append("1")
    answer = await hosts().append("2", key=KEY, position=1)
    if meanwhile:
        await hosts().append("3")

    assert await hosts().append("2", key=KEY, position=1) == answer


async def test_the_first_expected_position_is_0(
    container: MemoryContainer, hosts: Callable[..., Host]
) -> None:
    """Of a stream without own events."""
    assert await hosts().append("1", position=0) == Appended(1, 1)
    with pytest.raises(PositionConflictError, match="after position 0"):
        await hosts().append("2", position=0)


async def test_times_follow_positions_whatever_the_clocks_say(
    container: MemoryContainer, hosts: Callable[..., Host]
) -> None:
    """A host that is behind continues after one that is ahead."""
    ahead, behind = (hosts(skew=timedelta(minutes=minutes)) for minutes in (10, -10))
    for number in range(3):
        await ahead.append(f"ahead {number}")
        await behind.append(f"behind {number}")

    assert stored(container) == [f"{who} {n}" for n in range(3) for who in ("ahead", "behind")]


async def test_the_first_event_comes_after_what_an_earlier_version_stored(
    container: MemoryContainer, hosts: Callable[..., Host]
) -> None:
    """Own events of before have no position."""
    old: Document = {"id": "4f1e", "streamId": S, "type": "old", "time": "2026-01-01T00:10:00Z"}
    container.documents[S, "4f1e"] = old

    await hosts().append("new")

    assert container.documents[S, "n000000000001"]["time"] == "2026-01-01T00:10:00.000010Z"


@pytest.mark.parametrize("position", [2, 3])
async def test_erased_events_keep_their_places(
    container: MemoryContainer, hosts: Callable[..., Host], position: int
) -> None:
    """The newest one and one before it, between appends of hosts that know the head or not."""
    warm = hosts()
    await warm.append("1", "2", "3")
    event = container.documents[S, f"n{position:012}"]
    container.documents[S, event["id"]] = {
        **{name: event[name] for name in ("id", "streamId", "position", "time", "meta")},
        "type": "$erased",
    }

    answers = [await host.append("x") for host in (warm, hosts(), warm)]

    assert [answer.position for answer in answers] == [4, 5, 6]
    assert stored(container)[position - 1] == "$erased"


async def test_a_joint_group_that_is_too_large_is_sent_append_by_append(
    container: MemoryContainer, hosts: Callable[..., Host]
) -> None:
    """Nothing of it was stored."""
    container.before = fail_once(refusal(413))
    host = hosts()

    answers = await asyncio.gather(*(host.append(name) for name in "abc"))

    assert [answer.position for answer in answers] == [1, 2, 3]
    assert stored(container) == ["a", "b", "c"]


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param([], id="no results"),
        pytest.param([{"statusCode": 200}], id="another status"),
        pytest.param(TypeError("string indices"), id="no batch answer"),
    ],
)
async def test_only_what_is_acknowledged_counts(
    container: MemoryContainer,
    hosts: Callable[..., Host],
    monkeypatch: pytest.MonkeyPatch,
    answer: Any,
) -> None:
    """A proxy may answer 200 to what it never passed on; then it is sent again."""
    real, lies = container.execute_item_batch, [answer, answer]

    async def lie(*arguments: Any, **options: Any) -> Any:
        if not lies:
            return await real(*arguments, **options)
        lie = lies.pop()
        if isinstance(lie, Exception):
            raise lie
        return lie

    monkeypatch.setattr(container, "execute_item_batch", lie)

    assert await hosts().append("on") == Appended(1, 1)
    assert stored(container) == ["on"]


@pytest.mark.parametrize(
    ("event_id", "key"),
    [("n5", None), ("n000000000001", None), ("k1", KEY)],
    ids=["a number", "a position", "a key"],
)
async def test_an_id_of_another_program_is_named(
    container: MemoryContainer, hosts: Callable[..., Host], event_id: str, key: Any
) -> None:
    """It is in the way, and only its writer can move it."""
    container.documents[S, event_id] = {"id": event_id, "streamId": S, "type": "Theirs"}

    with pytest.raises(ReservedIdError, match=event_id):
        await hosts().append("on", key=key)


async def test_a_missing_container_is_said(
    container: MemoryContainer, hosts: Callable[..., Host]
) -> None:
    """With what to do."""
    container.before = fail_once(refusal(404))

    with pytest.raises(ConfigurationError, match="admin init"):
        await hosts().append("on")


async def test_an_unknown_outcome_forgets_the_head(
    container: MemoryContainer, hosts: Callable[..., Host]
) -> None:
    """The next append finds out where the stream is, and the late one is stored once."""
    host = hosts()
    await host.append("1")
    container.after = fail_once(*[LOST] * 3)

    with pytest.raises(DeadlineExceededError):
        await host.append("2", seconds=0.04)
    assert host.appender.heads.get(S) is None
    container.after = None
    assert await host.append("3") == Appended(3, 1)


async def test_heads_are_bounded(container: MemoryContainer, hosts: Callable[..., Host]) -> None:
    """Those that were not used for the longest time go first."""
    heads = hosts().appender.heads
    for number in range(10_000):
        heads.put(str(number), (number, ""))  # type: ignore[arg-type] # a head as a plain tuple
    assert heads.get("0") is not None

    heads.put("new", (1, ""))  # type: ignore[arg-type] # as above

    assert heads.get("1") is None
    assert heads.get("0") is not None


async def test_the_error_of_one_append_is_not_that_of_others(
    container: MemoryContainer, hosts: Callable[..., Host]
) -> None:
    """A repeated key among others that are new."""
    first = await hosts().append("keyed", key=KEY)
    host = hosts()

    answers = await asyncio.gather(
        host.append("a"),
        host.append("again", key=OTHER),
        host.append("keyed", key=KEY),
        host.append("b"),
        return_exceptions=True,
    )

    assert isinstance(answers[1], EngineError)
    assert answers[2] == first
    assert stored(container) == ["keyed", "a", "b"]


def test_heads_of_another_write_region_are_forgotten() -> None:
    """It may have lost the events that they stand for."""
    heads = Heads()
    heads.written_at("one").put("a", Head(3, "x"))

    assert heads.written_at("one").get("a") == Head(3, "x")
    assert heads.written_at("other").get("a") is None
