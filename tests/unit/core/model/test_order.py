from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest

from core.model.documents import Envelope
from core.model.order import OrderKey, order_key
from tests.support import TIME, Document, followed

LATER = "2026-01-02T03:04:05.000070Z"


def event(event_id: str, time: str = TIME, **meta: Any) -> Document:
    return followed(1, 2, event_id, time=time, meta=meta)


@pytest.mark.parametrize(
    "events",
    [
        pytest.param([event("z"), event("a", LATER)], id="the earlier one first"),
        pytest.param([event("z"), event("a", hops=1), event("b", hops=2)], id="causes first"),
        pytest.param(
            [event("z", hops=1, projection="p", index=9), event("a", hops=1, projection="q")],
            id="by projection",
        ),
        pytest.param(
            [
                event("z", hops=1, projection="p", streamId="s-1", causationId="n2"),
                event("y", hops=1, projection="p", streamId="s-2", causationId="n1"),
                event("x", hops=1, projection="p", streamId="s-2", causationId="n2"),
            ],
            id="by source",
        ),
        pytest.param(
            [event("z", hops=1), event("y", hops=1, index=2), event("x", hops=1, index=10)],
            id="as they were emitted",
        ),
        pytest.param([event("a"), event("b")], id="by id at last"),
    ],
)
def test_the_order_does_not_depend_on_storing(events: list[Document]) -> None:
    """It is that of times, and of what follows from what where times are equal."""
    for stored in permutations(events):
        assert sorted(stored, key=lambda one: order_key(Envelope.from_document(one))) == events


def test_the_text_of_a_key_sorts_like_it() -> None:
    """Numbers by their values, and a short name before those that begin with it."""
    keys = [
        OrderKey(time, hops, projection, source, "e", place, "x")
        for time in (TIME, LATER)
        for hops in (0, 2, 10)
        for projection in ("", "m.a", "m.a b", "m.b")
        for source in ("s", "s-1", "s-1!")
        for place in (0, 9, 10, 100_000)
    ]

    assert keys == sorted(keys)
    assert [key.to_text() for key in keys] == sorted(key.to_text() for key in keys)


def test_the_text_of_a_key_is_short_and_tells_long_names_apart() -> None:
    """Whatever the names are."""
    keys = [OrderKey(TIME, 1, "p" * 1_000, "s" * 1_000, f"{'e' * 900}{n}", 0, "i") for n in (1, 2)]
    first, second = (key.to_text() for key in keys)

    assert first != second
    assert len(first) < 1_000
