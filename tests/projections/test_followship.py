"""The application as it comes with the repository; replace this file with the application."""

from __future__ import annotations

from uuid import UUID

import pytest

from core import Refused
from projections.followship import Follow, Followed, Followship, WasFollowed, followers
from tests.commands import EXAMPLE, ROOT

ALICE, BOB = UUID(int=1, version=4), UUID(int=2, version=4)


def test_a_follow_appends_an_event() -> None:
    """In the follower's stream."""
    assert list(Follow(user_id=ALICE, to_follow=BOB).handle()) == [
        Followed(user_id=ALICE, to_follow=BOB)
    ]


def test_nobody_can_follow_themselves() -> None:
    """The field that is at fault is named."""
    with pytest.raises(Refused, match="themselves"):
        list(Follow(user_id=ALICE, to_follow=ALICE).handle())


def test_the_followed_user_gets_an_event() -> None:
    """In a stream that is not the follower's."""
    (event,) = followers(Followed(user_id=ALICE, to_follow=BOB))

    assert event == WasFollowed(user_id=BOB, follower=ALICE)
    assert event.entity_id == BOB


def test_following_twice_counts_once() -> None:
    """In both directions."""
    entity = Followship()
    for _ in range(2):
        entity = entity.followed(Followed(user_id=ALICE, to_follow=BOB))
        entity = entity.was_followed(WasFollowed(user_id=ALICE, follower=BOB))

    assert (entity.following, entity.followers) == (frozenset({BOB}), frozenset({BOB}))


@pytest.mark.parametrize("name", ["function_app.py", "host.json", "projections/followship.py"])
def test_the_application_is_a_copy_of_the_example(name: str) -> None:
    """What the demo checks and the benchmarks measure is what is deployed."""
    assert (ROOT / name).read_bytes() == (EXAMPLE / name).read_bytes()
