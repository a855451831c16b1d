from __future__ import annotations

from collections.abc import Callable
from uuid import UUID, uuid4

import pytest

from core.model.projections import Projection
from core.testing import folded, projecting, read_as
from tests.apps.follows.followship import Followed, Followship, WasFollowed, followers
from tests.apps.impure.tagging import (
    Listed,
    Tagged,
    depends_on_order,
    reads_the_clock,
    remembers,
    sorts,
)
from tests.apps.notices.board import Posted

A, B = UUID(int=1), UUID(int=2)
EVENT = Followed(user_id=A, to_follow=B)
DERIVED = WasFollowed(user_id=B, follower=A)
ID = "9175f5e8-b6c4-5bdb-bc6f-e27325a7ddb5"


def test_a_projection_emits_its_events() -> None:
    """With the ids that the engine gives them."""
    projecting(EVENT).emits(DERIVED).with_ids(ID)
    projecting(EVENT, by=followers).emits(DERIVED)


def test_a_projection_fails() -> None:
    """With the author's error, not the engine's around it."""
    projecting(Posted(board="a", readers=0)).fails(ValueError)


@pytest.mark.parametrize(
    ("check", "lines"),
    [
        (
            lambda: projecting(EVENT).emits(WasFollowed(user_id=B, follower=B)),
            [
                "  !   1. WasFollowed",
                f"           user_id = {B!r}",
                f"           follower: expected {B!r}",
                f"                     got      {A!r}",
            ],
        ),
        (lambda: projecting(EVENT).emits(DERIVED, EVENT), [f"  -   2. {EVENT!r}"]),
        (lambda: projecting(EVENT).emits_nothing(), [f"  +   1. {DERIVED!r}"]),
        (lambda: projecting(EVENT).with_ids(), [f'The ids differ → .with_ids("{ID}")']),
        (lambda: projecting(EVENT).fails(ValueError), ["No projection failed; emitted:"]),
        (
            lambda: projecting(Posted(board="a", readers=0)).fails(KeyError),
            ["It failed with ValueError('nobody reads it')."],
        ),
        (
            lambda: projecting(Posted(board="a", readers=0)).emits_nothing(),
            ["Projection board.deliveries raised ValueError. (ValueError('nobody reads it'))"],
        ),
        (lambda: projecting(DERIVED), ["WasFollowed triggers no projection."]),
    ],
)
def test_failures_say_what_differs(check: Callable[[], object], lines: list[str]) -> None:
    """Event by event and field by field, in lines that can be pasted."""
    with pytest.raises(AssertionError) as failure:
        check()
    printed = str(failure.value).splitlines()
    assert [line for line in lines if line not in printed] == []


@pytest.mark.parametrize(
    ("impure", "message"),
    [
        (reads_the_clock, r"tagging\.py:\d+ reads the clock \(time\.time\)"),
        (remembers, "emits other events when it runs again"),
        (depends_on_order, "emits other events when a dict or set has another order"),
    ],
)
def test_impurities_fail(impure: Projection, message: str) -> None:
    """With the author's line, or what makes a difference."""
    event = Listed(name=f"list-{uuid4()}", tags={"b": 1, "a": 2})
    with pytest.raises(AssertionError, match=message):
        projecting(event, by=impure)
    projecting(event, by=sorts).emits(Tagged(tag="a", count=2), Tagged(tag="b", count=1))


def test_states_and_stored_events() -> None:
    """Folded and read as the engine does it."""
    assert folded(Followship, EVENT, DERIVED) == Followship(
        following=frozenset({B}), followers=frozenset({A})
    )
    assert read_as(Followed, 1, {"user_id": str(A), "to_follow": str(B)}) == EVENT


def test_all_projections_of_an_event_run() -> None:
    """Without naming one."""
    assert len(projecting(Posted(board="a", readers=3)).emitted) == 3
