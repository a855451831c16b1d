"""Comparison of stored events with the accepted commands."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest

from local.chaos.damage import Damage, find_damage
from local.chaos.history import Change, History, stream_of
from local.harness.follows import Follow
from local.harness.streams import Document, StoredStreams

A, B, C = (UUID(int=number) for number in (1, 2, 3))
RELATION, POISON = Follow(A, B), Follow(A, C)


def origin(source: Document) -> dict[str, Any]:
    meta = {"causationId": source["id"], "streamId": source["streamId"], "projection": "p"}
    return {**meta, "correlationId": source["meta"]["correlationId"], "hops": 1}


def event(position: int, event_type: str) -> list[Document]:
    """An event of A about B, and what follows from it."""
    source = {
        "id": f"n{position:012d}",
        "position": position,
        "streamId": stream_of(A),
        "type": event_type,
        "time": f"2026-01-01T00:00:00.0000{position}0Z",
        "data": {"user_id": str(A), "to_follow": str(B)},
        "meta": {"correlationId": f"c{position}", "hops": 0},
    }
    derived = {
        **source,
        "id": f"d{position}",
        "streamId": stream_of(B),
        "type": f"Was{event_type}",
        "data": {"user_id": str(B), "follower": str(A)},
        "meta": origin(source),
    }
    return [source, derived]


def stored() -> list[Document]:
    return [*event(1, "Followed"), *event(2, "Unfollowed"), *event(3, "Followed")]


def accepted(count: int = 3) -> History:
    history = History()
    for number in range(count):
        history.record(Change(RELATION, number), f"n{number + 1:012d}")
    return history


def counts(damage: Damage) -> dict[str, int]:
    return {name: len(lines) for name, lines in vars(damage).items() if lines}


def swap_times(documents: list[Document]) -> None:
    """The derived events are folded in another order than they were caused."""
    first, second = documents[1], documents[3]
    first["time"], second["time"] = second["time"], first["time"]


@pytest.mark.parametrize(
    ("plant", "history", "expected"),
    [
        pytest.param(lambda _: None, accepted(), {}, id="nothing"),
        pytest.param(lambda _: None, accepted(2), {"duplicated": 1}, id="applied twice"),
        pytest.param(
            lambda documents: documents.__delitem__(slice(4, 6)),
            accepted(),
            {"lost": 1},
            id="acknowledged and lost",
        ),
        pytest.param(
            lambda documents: documents.pop(5), accepted(), {"lost": 1}, id="not projected"
        ),
        pytest.param(
            swap_times,
            accepted(),
            {"out_of_order": 1, "origin_wrong": 2},
            id="derived out of order",
        ),
    ],
)
def test_planted_damage_is_noticed(
    plant: Callable[[list[Document]], object], history: History, expected: dict[str, int]
) -> None:
    """Each under its name."""
    documents = stored()
    plant(documents)

    damage = find_damage(StoredStreams.from_documents(documents), history)

    assert counts(damage) == expected
    assert len(damage.examples()) == sum(expected.values())


def test_commands_in_another_order_are_noticed() -> None:
    """The events of a pair have the positions in which they were acknowledged."""
    history = History()
    for number, position in enumerate((2, 1, 3)):
        history.record(Change(RELATION, number), f"n{position:012d}")

    damage = find_damage(StoredStreams.from_documents(stored()), history)

    assert counts(damage) == {"out_of_order": 2}  # of the follower, and of the followed user


def test_a_foreign_event_must_be_there_once() -> None:
    """It has no position, but what follows from it is expected."""
    history = accepted()
    history.foreign[POISON] = "raw"

    damage = find_damage(StoredStreams.from_documents(stored(), history.foreign_keys()), history)

    assert damage.lost == (f"raw in {stream_of(A)}",)


def test_a_repeated_command_has_the_answer_of_the_first_time() -> None:
    """Its number and its key are the same."""
    history = accepted()

    history.record(Change(RELATION, 1), "n000000000002")
    history.record(Change(RELATION, 1), "n000000000009")

    assert (history.repeated, history.different_answers) == (2, 1)
    assert history.event_ids[RELATION][1] == "n000000000002"


def test_follows_and_unfollows_take_turns() -> None:
    """A pair whose last command was a follow remains."""
    assert [Change(RELATION, number).action for number in range(3)] == [
        "follow",
        "unfollow",
        "follow",
    ]
    assert accepted(3).remaining() == [RELATION]
    assert accepted(2).remaining() == []
