"""What is wrong with the stored events after an experiment; without I/O."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from local.chaos.history import DERIVED_TYPES, stream_of
from local.harness.follows import Follow
from local.harness.streams import event_key

if TYPE_CHECKING:
    from collections.abc import Iterable

    from local.chaos.history import History
    from local.harness.streams import StoredStreams

_MAX_EXAMPLES = 5


@dataclass(frozen=True, kw_only=True)
class Damage:
    """What is wrong with the stored events, with a line for each.

    Attributes:
        lost: Events that should be stored and are not.
        duplicated: Events that are stored and should not be, or not twice.
        out_of_order: Pairs whose events are not in the order of the accepted commands.
        time_wrong: Events whose time is malformed, or not after that of the position before.
        positions_wrong: Events whose position is not the next one, or not that of their id.
        origin_wrong: Derived events that differ from their source in time, hops or correlation.
    """

    lost: tuple[str, ...] = ()
    duplicated: tuple[str, ...] = ()
    out_of_order: tuple[str, ...] = ()
    time_wrong: tuple[str, ...] = ()
    positions_wrong: tuple[str, ...] = ()
    origin_wrong: tuple[str, ...] = ()

    def examples(self) -> tuple[str, ...]:
        """Return the first lines of each kind."""
        kinds = vars(self).items()
        return tuple(f"{kind}: {line}" for kind, lines in kinds for line in lines[:_MAX_EXAMPLES])


def find_damage(streams: StoredStreams, history: History) -> Damage:
    """Compare the stored events with the accepted commands and with each other."""
    missing, superfluous = streams.derivations(DERIVED_TYPES)
    expected = history.acknowledged_keys() | history.foreign_keys()
    stored = [event_key(source) for source in streams.sources()]
    unexpected = [key for key in stored if key not in expected]
    return Damage(
        lost=(*_named(expected - set(stored)), *missing),
        duplicated=(*_named(unexpected), *superfluous),
        out_of_order=tuple(_out_of_order(streams, history)),
        time_wrong=tuple(streams.wrong_times()),
        positions_wrong=tuple(streams.wrong_positions()),
        origin_wrong=tuple(streams.wrong_origins()),
    )


def _named(keys: Iterable[tuple[str, str]]) -> list[str]:
    return [f"{event_id} in {stream_id}" for stream_id, event_id in keys]


def _out_of_order(streams: StoredStreams, history: History) -> list[str]:
    """Return the pairs of which the same events are stored, in another order than was accepted."""
    own, derived = _own_by_pair(streams), _derived_by_pair(streams)
    return [
        f"{stream_of(user)}: {stored}, expected {event_ids}"
        for follow, event_ids in history.event_ids.items()
        for user, stored in ((follow.follower, own[follow]), (follow.followed, derived[follow]))
        if stored != event_ids and sorted(stored) == sorted(event_ids)
    ]


def _own_by_pair(streams: StoredStreams) -> dict[Follow, list[str]]:
    """Return the ids of the events of commands for each pair, by position."""
    pairs: defaultdict[Follow, list[str]] = defaultdict(list)
    for events in streams.own.values():
        for event in events:
            follower, followed = event["data"]["user_id"], event["data"]["to_follow"]
            pairs[Follow(UUID(follower), UUID(followed))].append(event["id"])
    return pairs


def _derived_by_pair(streams: StoredStreams) -> dict[Follow, list[str]]:
    """Return the ids of the sources of the derived events for each pair, as they are folded."""
    pairs: defaultdict[Follow, list[str]] = defaultdict(list)
    for events in streams.derived.values():
        for event in events:
            follower, followed = event["data"]["follower"], event["data"]["user_id"]
            pairs[Follow(UUID(follower), UUID(followed))].append(event["meta"]["causationId"])
    return pairs
