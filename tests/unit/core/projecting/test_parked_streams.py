from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from core import projection
from core.model.documents import feed_order
from core.model.registry import ProjectionModule
from core.projecting.parked_streams import ParkedStreams
from tests.apps.follows.followship import Followed, WasFollowed
from tests.support import derived, followed, stream, user


@projection(name="ordered.followers", on_failure="park_stream")
def ordered(event: Followed) -> Iterator[WasFollowed]:
    """Fails for user 13."""
    if event.to_follow == user(13):
        raise ValueError("unlucky")
    yield WasFollowed(user_id=event.to_follow, follower=event.user_id)


@projection(name="ordered.others")
def others(event: Followed) -> Iterator[WasFollowed]:
    yield WasFollowed(user_id=event.user_id, follower=event.to_follow)


MODULE = ProjectionModule(name="ordered", projections=(ordered, others))


def at(follower: int, target: int, lsn: int, **changes: Any) -> dict[str, Any]:
    return followed(follower, target, _lsn=lsn, **changes)


def parked(
    *documents: dict[str, Any], parked_streams: ParkedStreams | None = None
) -> list[tuple[Any, str]]:
    """Event and error of what one pass parks for the ordered projection or the module."""
    _, poison = derived(MODULE, *documents, parked_streams=parked_streams or ParkedStreams())
    return [(poison_event.cause.event_id, poison_event.error_type) for poison_event in poison]


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        pytest.param(at(1, 2, 5), at(1, 3, 6), id="a later transaction"),
        pytest.param(at(1, 2, 9), at(1, 3, 10), id="numbers, not text"),
        pytest.param(
            at(1, 2, 5, time="2026-01-01T00:00:00.000010Z"),
            at(1, 3, 5, time="2026-01-01T00:00:00.000020Z"),
            id="events of one command",
        ),
    ],
)
def test_orders_sort_as_the_stream_grew(earlier: dict[str, Any], later: dict[str, Any]) -> None:
    """As text."""
    assert feed_order(earlier) < feed_order(later)


def test_what_comes_behind_a_parked_event_is_parked() -> None:
    """In its own stream, and for the projection that keeps the order."""
    outcomes = parked(at(1, 2, 1), at(1, 13, 2), at(1, 3, 3), at(4, 5, 4))

    assert outcomes == [("1-13", "ProjectionFailedError"), ("1-3", "EarlierEventParkedError")]


def test_other_projections_of_the_event_go_on() -> None:
    """They have nothing to wait for."""
    writes, _ = derived(MODULE, at(1, 13, 1), at(1, 3, 2), parked_streams=ParkedStreams())

    assert [write.stream_id for write in writes] == [stream(1)] * 2


def test_an_event_that_cannot_be_read_holds_up_its_stream() -> None:
    """Nobody knows what it would have been."""
    outcomes = parked(at(1, 2, 1, data={}), at(1, 3, 2))

    assert outcomes == [("1-2", "InvalidEventError"), ("1-3", "EarlierEventParkedError")]


def test_what_was_parked_before_holds_up_later_events_only() -> None:
    """A batch that is delivered again does not park what was ahead of it."""
    head = at(1, 13, 7)
    before = ParkedStreams([("ordered.followers", stream(1), feed_order(head))])

    outcomes = parked(at(1, 2, 6), head, at(1, 3, 8), parked_streams=before)

    assert outcomes == [("1-13", "ProjectionFailedError"), ("1-3", "EarlierEventParkedError")]
