"""Decisions on the state of a stream, over a container in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from core.errors import (
    DeadlineExceededError,
    IdempotencyKeyReusedError,
    PositionConflictError,
    Refused,
)
from core.streams.keys import Appended, IdempotencyKey
from tests.hosts import LOST, Host, S, fail_once, stored
from tests.support import MemoryContainer

KEY, OTHER = IdempotencyKey("k1", "1:one"), IdempotencyKey("k1", "1:two")


def spend(types: list[str]) -> str | Refused:
    """Spend a coin that is there."""
    if types.count("coin") > types.count("spent"):
        return "spent"
    return Refused("There is no coin.", field="coin")


async def test_one_coin_is_spent_once(
    container: MemoryContainer, hosts: Callable[..., Host]
) -> None:
    """By deciders on two hosts, among blind writers."""
    pair = [hosts(), hosts()]
    await pair[0].append("coin")

    answers = await asyncio.gather(
        *(pair[n % 2].decide(spend) for n in range(6)),
        *(pair[n % 2].append("other") for n in range(4)),
        return_exceptions=True,
    )

    assert sum(isinstance(answer, Refused) for answer in answers) == 5
    assert sorted(stored(container)) == ["coin", *["other"] * 4, "spent"]


async def test_a_decision_follows_directly_what_it_was_made_on(
    container: MemoryContainer, hosts: Callable[..., Host]
) -> None:
    """It is made again if something comes between."""
    host, other = hosts(), hosts()
    seen: list[int] = []

    async def come_between(_: str) -> None:
        container.before = None
        await other.append("between")

    def decide(types: list[str]) -> str:
        seen.append(len(types))
        return f"after {len(types)}"

    await other.append("first")
    container.before = come_between
    await host.decide(decide)

    assert seen == [1, 2]
    assert stored(container) == ["first", "between", "after 2"]


async def test_nothing_is_refused_on_an_old_state(
    container: MemoryContainer, hosts: Callable[..., Host]
) -> None:
    """What another host has acknowledged counts, though a replica does not show it yet."""
    await hosts().append("coin")
    container.lag, container.stale_reads = 1, 1

    assert await hosts().decide(spend) == Appended(2, 1)


async def test_a_repetition_gets_the_answer_of_its_key(
    container: MemoryContainer, hosts: Callable[..., Host]
) -> None:
    """The coin is spent, by the very command that is repeated."""
    await hosts().append("coin")
    container.after = fail_once(LOST)

    answers = [await hosts().decide(spend, key=KEY) for _ in range(2)]

    assert answers == [Appended(2, 1)] * 2
    with pytest.raises(IdempotencyKeyReusedError):
        await hosts().decide(spend, key=OTHER)


async def test_a_repetition_that_has_nothing_to_do_gets_the_answer_of_its_key(
    container: MemoryContainer, hosts: Callable[..., Host]
) -> None:
    """Of a command that makes sure of something, as of any other."""

    def switch_on(types: list[str]) -> str | None:
        return None if "on" in types else "on"

    answers = [await hosts().decide(switch_on, key=KEY) for _ in range(2)]

    assert answers == [Appended(1, 1)] * 2
    assert stored(container) == ["on"]


async def test_a_repetition_on_an_old_state_gets_it_as_well(
    container: MemoryContainer, hosts: Callable[..., Host]
) -> None:
    """The key is in the way of what it decides, whatever that is."""
    await hosts().append("coin", "coin")
    answer = await hosts().decide(spend, key=KEY)
    container.lag, container.stale_reads = 1, 1

    assert await hosts().decide(spend, key=KEY) == answer
    assert stored(container).count("spent") == 1


async def test_the_repetition_of_an_impatient_client_agrees_with_the_first_request(
    container: MemoryContainer, hosts: Callable[..., Host]
) -> None:
    """Both are under way at once, on two hosts."""
    await hosts().append("coin")

    answers = await asyncio.gather(*(hosts().decide(spend, key=KEY) for _ in range(4)))

    assert answers == [Appended(2, 1)] * 4


@pytest.mark.parametrize("lost", [False, True])
async def test_a_refusal_with_a_key_is_recorded(
    container: MemoryContainer, hosts: Callable[..., Host], *, lost: bool
) -> None:
    """All repetitions agree, also once it would be accepted."""
    container.after = fail_once(*([LOST] if lost else []))
    refusals = []
    for _ in range(2):
        with pytest.raises(Refused) as caught:
            await hosts().decide(spend, key=KEY)
        refusals.append((str(caught.value), caught.value.errors))
        await hosts().append("coin")

    assert refusals[0] == refusals[1]
    assert stored(container) == ["coin", "coin"]


async def test_executions_of_one_key_never_disagree(
    container: MemoryContainer, hosts: Callable[..., Host]
) -> None:
    """One refuses on what it has seen, while the other is accepted."""
    accepting, refusing = hosts(), hosts()

    async def come_between(_: str) -> None:
        container.before = None
        await accepting.append("coin")
        assert await accepting.decide(spend, key=KEY) == Appended(2, 1)

    def decide(types: list[str]) -> Refused:
        return Refused("never")

    container.before = come_between

    assert await refusing.decide(decide, key=KEY) == Appended(2, 1)


async def test_a_decision_for_nothing_leaves_nothing(
    container: MemoryContainer, hosts: Callable[..., Host]
) -> None:
    """Not even with a key."""
    assert await hosts().decide(lambda _: None, key=KEY) == Appended()
    assert container.documents == {}


async def test_the_time_of_a_decision_is_after_all_that_it_saw(
    container: MemoryContainer, hosts: Callable[..., Host]
) -> None:
    """A derived event may be from a host whose clock is ahead."""
    seen = {"id": "4f1e", "streamId": S, "type": "seen", "time": "2026-01-01T00:10:00.000000Z"}
    container.documents[S, "4f1e"] = seen

    await hosts().decide(lambda types: f"after {types}")

    own = container.documents[S, "n000000000001"]
    assert (own["type"], own["time"]) == ("after ['seen']", "2026-01-01T00:10:00.000010Z")


async def test_a_state_with_a_gap_is_no_state(
    container: MemoryContainer, hosts: Callable[..., Host], caplog: pytest.LogCaptureFixture
) -> None:
    """It is read again, and said if the gap stays, as after a failover that lost writes."""
    await hosts().append("1", "2", "3")
    del container.documents[S, "n000000000002"]

    with pytest.raises(DeadlineExceededError, match="no event at some position before 3"):
        await hosts().decide(lambda _: "4")
    assert f"stream.gap stream_id={S} head=3" in caplog.text


@pytest.mark.parametrize(
    ("position", "lag", "fits"), [(2, 0, True), (2, 1, True), (1, 0, False), (9, 0, False)]
)
async def test_a_decision_may_expect_a_position(
    container: MemoryContainer, hosts: Callable[..., Host], *, position: int, lag: int, fits: bool
) -> None:
    """An older state that a replica shows is no reason to refuse."""
    await hosts().append("1")
    await hosts().append("2")
    container.lag, container.stale_reads = lag, 1

    answer: Any = (
        await asyncio.gather(
            hosts().decide(lambda types: f"after {len(types)}", position=position),
            return_exceptions=True,
        )
    )[0]

    if fits:
        assert answer == Appended(3, 1)
    else:
        assert isinstance(answer, PositionConflictError)


async def test_an_expected_position_is_not_decided_again(
    container: MemoryContainer, hosts: Callable[..., Host]
) -> None:
    """What came between is a conflict."""
    other = hosts()

    async def come_between(_: str) -> None:
        container.before = None
        await other.append("between")

    container.before = come_between

    with pytest.raises(PositionConflictError):
        await hosts().decide(lambda _: "x", position=0)
