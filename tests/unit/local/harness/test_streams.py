"""Checks of stored events: each kind of damage that is planted is noticed."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy

import pytest

from local.harness.streams import Document, StoredStreams

TYPES = {"Said": "Heard"}

Plant = Callable[[list[Document]], object]


def own(stream: str, position: int, time: str) -> Document:
    return {
        "id": f"n{position:012d}",
        "streamId": stream,
        "type": "Said",
        "position": position,
        "time": time,
        "data": {},
        "meta": {"correlationId": f"c-{stream}-{position}", "hops": 0},
    }


def derived(source: Document, stream: str) -> Document:
    origin = {
        "correlationId": source["meta"]["correlationId"],
        "causationId": source["id"],
        "streamId": source["streamId"],
        "projection": "m.p",
        "hops": source["meta"]["hops"] + 1,
    }
    document_id = f"d-{source['streamId']}-{source['id']}"
    event = {"id": document_id, "streamId": stream, "type": "Heard", "data": {}}
    return {**event, "time": source["time"], "meta": origin}


def stored() -> list[Document]:
    """Two events of one stream and one of another, with what follows from them, and a key."""
    sources = [
        own("a", 1, "2026-01-01T00:00:00.000010Z"),
        own("a", 2, "2026-01-01T00:00:00.000020Z"),
        own("b", 1, "2026-01-01T00:00:00.000010Z"),
    ]
    key = {"id": "k0", "streamId": "a", "type": "$key", "meta": {}}
    return [*sources, *(derived(source, "c") for source in sources), key]


def damage(documents: list[Document]) -> dict[str, int]:
    """The number of what is wrong, by check, without what is not wrong."""
    streams = StoredStreams.from_documents(documents)
    lost, duplicated = streams.derivations(TYPES)
    counts = {
        "lost": len(lost),
        "duplicated": len(duplicated),
        "positions": len(streams.wrong_positions()),
        "times": len(streams.wrong_times()),
        "origins": len(streams.wrong_origins()),
    }
    return {name: count for name, count in counts.items() if count}


def test_undamaged_events_pass() -> None:
    """In whatever order the container lists them."""
    assert damage(stored()) == {}
    assert damage(stored()[::-1]) == {}


@pytest.mark.parametrize(
    ("plant", "expected"),
    [
        pytest.param(lambda events: events.pop(3), {"lost": 1}, id="derived event lost"),
        pytest.param(
            lambda events: events.append({**events[3], "id": "other"}),
            {"duplicated": 1},
            id="derived event twice",
        ),
        pytest.param(
            lambda events: events.pop(2),
            {"duplicated": 1, "origins": 1},
            id="source lost",
        ),
        pytest.param(
            lambda events: events.pop(0),
            {"duplicated": 1, "positions": 1, "origins": 1},
            id="gap",
        ),
        pytest.param(
            lambda events: events[1].update(position=1),
            {"positions": 1},
            id="position twice",
        ),
        pytest.param(
            lambda events: events[1].pop("position"),
            {"positions": 2, "times": 1},
            id="no position",
        ),
        pytest.param(
            lambda events: events[2].update(id="n2"),
            {"positions": 1, "lost": 1, "duplicated": 1, "origins": 1},
            id="id of another form",
        ),
        pytest.param(
            lambda events: (
                events[1].update(time=events[0]["time"]),
                events[4].update(time=events[0]["time"]),
            ),
            {"times": 1},
            id="time that does not grow",
        ),
        pytest.param(
            lambda events: events[5].update(time="2026-01-01T00:00:00.00001Z"),
            {"times": 1, "origins": 1},
            id="time of another form",
        ),
        pytest.param(
            lambda events: events[3].update(time="2026-01-01T00:00:00.000030Z"),
            {"origins": 1},
            id="time of a derived event",
        ),
        pytest.param(lambda events: events[3]["meta"].update(hops=2), {"origins": 1}, id="hops"),
        pytest.param(
            lambda events: events[3]["meta"].update(correlationId="x"),
            {"origins": 1},
            id="correlation",
        ),
    ],
)
def test_planted_damage_is_noticed(plant: Plant, expected: dict[str, int]) -> None:
    """By the check that is for it."""
    documents = deepcopy(stored())
    plant(documents)

    assert damage(documents) == expected


def test_foreign_events_have_no_position() -> None:
    """What somebody else stored is a source like any other."""
    foreign = {**own("f", 1, "2026-01-01T00:00:00.000010Z"), "id": "raw"}
    del foreign["position"]
    documents = [*stored(), foreign, derived(foreign, "c")]

    streams = StoredStreams.from_documents(documents, foreign={("f", "raw")})

    assert (streams.wrong_positions(), streams.derivations(TYPES)) == ([], ([], []))
