from __future__ import annotations

from collections import Counter
from typing import Any
from uuid import UUID

import pytest

from local.harness.follows import Follow
from local.harness.verification import ExpectedState, StoredEvents

A, B, C = (UUID(int=number) for number in (1, 2, 3))
FOLLOWS = [Follow(A, B), Follow(A, B), Follow(C, B), Follow(C, C)]


def test_repetitions_and_self_follows_are_not_expected() -> None:
    """The graph counts each follow once, and no self-follow."""
    expected = ExpectedState.from_follows(FOLLOWS)

    assert expected.pairs == {(str(A), str(B)), (str(C), str(B))}
    assert expected.users == (A, B, C)
    assert expected.followers == {str(B): frozenset({str(A), str(C)})}


@pytest.mark.parametrize(
    ("user", "entity", "is_match"),
    [
        pytest.param(A, {"following": [str(B)], "followers": []}, True, id="as in the graph"),
        pytest.param(B, {"following": [], "followers": [str(C), str(A)]}, True, id="any order"),
        pytest.param(B, {"following": [], "followers": [str(A)]}, False, id="one lost"),
        pytest.param(B, {"followers": [str(A), str(A), str(C)]}, False, id="one duplicated"),
        pytest.param(A, {"following": [str(B), str(C)]}, False, id="one more"),
        pytest.param(A, {}, False, id="no entity"),
    ],
)
def test_a_user_matches_with_exactly_the_follows_of_the_graph(
    user: UUID, entity: dict[str, Any], *, is_match: bool
) -> None:
    """Lost, duplicated and additional follows are all detected."""
    assert ExpectedState.from_follows(FOLLOWS).matches(user, entity) is is_match


def test_documents_are_counted_in_both_directions() -> None:
    """A derived event is counted under the follow that caused it."""
    stored = StoredEvents()

    stored.add({"type": "Followed", "data": {"user_id": "a", "to_follow": "b"}})
    stored.add({"type": "WasFollowed", "data": {"user_id": "b", "follower": "a"}})
    stored.add({"type": "Other", "data": {}})

    assert stored.followed == stored.was_followed == Counter({("a", "b"): 1})


def test_lost_and_duplicated_events_are_counted_apart() -> None:
    """Lost events are missing; duplicated ones are stored again, or without a cause."""
    a, b, c = str(A), str(B), str(C)
    stored = StoredEvents(
        followed=Counter({(a, b): 1, (c, b): 1}),
        was_followed=Counter({(a, b): 3, (c, a): 1}),
    )

    assert stored.lost(ExpectedState.from_follows(FOLLOWS)) == 1
    assert stored.duplicated(ExpectedState.from_follows(FOLLOWS)) == 3
