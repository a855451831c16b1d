from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest

from core.model.documents import Envelope
from core.streams.order import order_key
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
