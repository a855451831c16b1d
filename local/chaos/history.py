"""The commands that were accepted, in order, and what must be stored because of them."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from uuid import UUID

    from local.harness.follows import Follow
    from local.harness.streams import EventKey

Action = Literal["follow", "unfollow"]

DERIVED_TYPES = {"Followed": "WasFollowed", "Unfollowed": "WasUnfollowed"}
"""The type of the derived event by that of its source."""


class Change(NamedTuple):
    """One command about a pair of users: the first of a pair has number 0."""

    follow: Follow
    number: int

    @property
    def action(self) -> Action:
        """The command: follows and unfollows take turns."""
        return "unfollow" if self.number % 2 else "follow"

    @property
    def idempotency_key(self) -> str:
        """The idempotency key, which a repeated command has as well."""
        return f"{self.follow.follower}:{self.follow.followed}:{self.number}"


@dataclass(kw_only=True)
class History:
    """The accepted commands.

    Attributes:
        event_ids: The ids of the events of each pair, in the order of its commands.
        foreign: The events that were stored without a command, by pair.
        different_answers: The number of repeated commands with another answer than the first time.
        repeated: The number of commands that were repeated after they were acknowledged.
    """

    event_ids: dict[Follow, list[str]] = field(default_factory=lambda: defaultdict(list))
    foreign: dict[Follow, str] = field(default_factory=dict)
    different_answers: int = 0
    repeated: int = 0

    def record(self, change: Change, event_id: str) -> None:
        """Record that a command was acknowledged with the id of its event."""
        known = self.event_ids[change.follow]
        if change.number == len(known):
            known.append(event_id)
            return
        self.repeated += 1
        self.different_answers += known[change.number] != event_id

    def remaining(self) -> list[Follow]:
        """Return the pairs that follow each other in the end."""
        follows = [follow for follow, event_ids in self.event_ids.items() if len(event_ids) % 2]
        return [*follows, *self.foreign]

    def foreign_keys(self) -> set[EventKey]:
        """Return the keys of the events that were stored without a command."""
        return {(stream_of(follow.follower), event_id) for follow, event_id in self.foreign.items()}

    def acknowledged_keys(self) -> set[EventKey]:
        """Return the keys of the events of the commands."""
        return {
            (stream_of(follow.follower), event_id)
            for follow, event_ids in self.event_ids.items()
            for event_id in event_ids
        }


def stream_of(user: UUID) -> str:
    """Return the id of a user's stream."""
    return f"followship-{user}"
