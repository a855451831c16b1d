from __future__ import annotations

from collections.abc import Iterator
from itertools import permutations
from typing import Any

from core import projection
from core.errors import RejectedByCosmosError
from core.model.documents import Envelope
from core.model.order import order_key
from core.model.registry import ProjectionModule
from core.projecting.batch_run import BatchRun
from core.projecting.derivation import derive
from core.projecting.parked_streams import ParkedStreams, in_stream_order
from core.projecting.turn import ENDLESS_TURN
from core.writing.writes import Rejected, Written
from tests.apps.follows.followship import Followed, WasFollowed
from tests.support import LIMITS, derived, followed, stream, user


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


def at(follower: int, target: int, second: int, **changes: Any) -> dict[str, Any]:
    return followed(follower, target, time=f"2026-01-01T00:00:{second:02d}.000000Z", **changes)


def order(document: dict[str, Any]) -> str:
    return order_key(Envelope.from_document(document)).to_text()


def parked(
    *documents: dict[str, Any], parked_streams: ParkedStreams | None = None
) -> list[tuple[Any, str]]:
    """Event and error of what one pass parks for the ordered projection or the module."""
    _, poison = derived(MODULE, *documents, parked_streams=parked_streams or ParkedStreams())
    return [(one.cause.event_id, one.failure.error_type) for one in poison]


def test_what_comes_behind_a_parked_event_is_parked() -> None:
    """In its own stream, and for the projection that keeps the order."""
    errors = parked(at(1, 2, 1), at(1, 13, 2), at(1, 3, 3), at(4, 5, 4))

    assert errors == [("1-13", "ProjectionFailedError"), ("1-3", "EarlierEventParkedError")]


def test_other_projections_of_the_event_go_on() -> None:
    """They have nothing to wait for."""
    writes, _ = derived(MODULE, at(1, 13, 1), at(1, 3, 2), parked_streams=ParkedStreams())

    assert [write.stream_id for write in writes] == [stream(1)] * 2


def test_an_event_that_cannot_be_read_holds_up_its_stream() -> None:
    """Nobody knows what it would have been."""
    errors = parked(at(1, 2, 1, data={}), at(1, 3, 2))

    assert errors == [("1-2", "InvalidEventError"), ("1-3", "EarlierEventParkedError")]


def test_an_event_without_a_place_holds_up_all_others() -> None:
    """Nobody knows which of them are later."""
    errors = parked(at(1, 2, 1, version=None), at(1, 3, 2))

    assert errors == [("1-2", "InvalidEventError"), ("1-3", "EarlierEventParkedError")]


def test_what_was_parked_before_holds_up_later_events_only() -> None:
    """A batch that is delivered again does not park what was ahead of it."""
    head = at(1, 13, 7)
    before = ParkedStreams([("ordered.followers", stream(1), order(head))])

    errors = parked(at(1, 2, 6), head, at(1, 3, 8), parked_streams=before)

    assert errors == [("1-13", "ProjectionFailedError"), ("1-3", "EarlierEventParkedError")]


def test_a_batch_keeps_the_order_of_each_stream_however_it_was_stored() -> None:
    """The feed has what was written again at its end; the first ones of all streams go first."""
    batch = [at(1, 2, 1), at(1, 3, 2), at(1, 4, 3), at(5, 6, 4), at(5, 7, 5)]

    for stored in permutations(batch):
        ids = [str(document["id"]) for document in in_stream_order(stored)]

        assert [name for name in ids if name.startswith("1")] == ["1-2", "1-3", "1-4"]
        assert {name[0] for name in ids[:2]} == {name[0] for name in ids[2:4]} == {"1", "5"}


def test_a_batch_may_hold_anything() -> None:
    """What has no place comes first in its stream, which may be any JSON value."""
    odd: list[dict[str, Any]] = [{}, {"streamId": ["s"], "time": 3}, {"streamId": None}]

    assert len(in_stream_order([*odd, at(1, 2, 1), {**at(1, 3, 2), "time": "no"}])) == 5
    assert in_stream_order([at(1, 2, 1), {**at(1, 3, 2), "time": "no"}])[0]["time"] == "no"


def test_the_next_event_of_a_stream_waits_until_its_derived_events_are_durable() -> None:
    """Cosmos DB may refuse them; other streams and projections have nothing to wait for."""
    run = BatchRun(
        MODULE,
        derive(MODULE, [at(1, 2, 1), at(4, 5, 1), at(1, 3, 2)]),
        limits=LIMITS,
        parked_streams=ParkedStreams(),
    )
    while run.fill_pending(ENDLESS_TURN):
        pass
    first = {write.cause.event_id for write in run.pending.values()}
    run.apply(Written(list(run.pending.values())))
    while run.fill_pending(ENDLESS_TURN):
        pass

    assert first == {"1-2", "4-5"}
    assert {write.cause.event_id for write in run.pending.values()} == {"1-3"}


def test_what_cosmos_db_refuses_holds_up_its_stream() -> None:
    """Nothing of the later event was written before."""
    error = RejectedByCosmosError("too large", status=413)
    run = BatchRun(
        MODULE.restricted_to("ordered.followers"),
        derive(MODULE.restricted_to("ordered.followers"), [at(1, 2, 1), at(1, 3, 2)]),
        limits=LIMITS,
        parked_streams=ParkedStreams(),
    )
    while run.fill_pending(ENDLESS_TURN):
        pass
    (refused,) = run.pending.values()
    run.apply(Rejected(refused, error))
    (poison,) = run.poison_events
    run.hold_streams([(*poison.cause[:2], poison.cause.stream_order)])
    run.poison_events = []
    while run.fill_pending(ENDLESS_TURN):
        pass

    assert poison.cause.event_id == "1-2"
    assert run.pending == {}
    assert [one.failure.error_type for one in run.poison_events] == ["EarlierEventParkedError"]
