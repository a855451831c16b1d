"""Comparison of what is stored with what follows from a graph, without I/O."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from uuid import UUID

    from local.harness.follows import Follow

Pair = tuple[str, str]


@dataclass(frozen=True, kw_only=True)
class ExpectedState:
    """The state that follows from a graph, without its repetitions and self-follows.

    Attributes:
        pairs: The follower and the followed user of each follow.
        users: All users of the graph, in the order of their first follow.
        following: The users that each user follows.
        followers: The followers of each user.
    """

    pairs: frozenset[Pair]
    users: tuple[UUID, ...]
    following: Mapping[str, frozenset[str]]
    followers: Mapping[str, frozenset[str]]

    @classmethod
    def from_follows(cls, follows: Sequence[Follow]) -> ExpectedState:
        """Return the state after the given follows."""
        following: defaultdict[str, set[str]] = defaultdict(set)
        followers: defaultdict[str, set[str]] = defaultdict(set)
        for follow in follows:
            if not follow.is_self_follow:
                following[str(follow.follower)].add(str(follow.followed))
                followers[str(follow.followed)].add(str(follow.follower))
        users = dict.fromkeys(user for follow in follows for user in follow.users)
        return cls(
            pairs=frozenset((a, b) for a, targets in following.items() for b in targets),
            users=tuple(users),
            following={user: frozenset(others) for user, others in following.items()},
            followers={user: frozenset(others) for user, others in followers.items()},
        )

    def matches(self, user: UUID, entity: Mapping[str, Any]) -> bool:
        """Return whether the user's entity has each follow of the graph once, and no other."""
        name = str(user)
        return _has_exactly(entity.get("following", ()), self.following.get(name)) and _has_exactly(
            entity.get("followers", ()), self.followers.get(name)
        )

    def count_mismatches(self, entities: Mapping[UUID, Mapping[str, Any]]) -> int:
        """Return the number of users whose entity differs from the graph."""
        return sum(not self.matches(user, entities[user]) for user in self.users)


@dataclass(kw_only=True)
class StoredEvents:
    """The stored events, counted by follow.

    Attributes:
        followed: The number of `Followed` events of each follow.
        was_followed: The number of `WasFollowed` events of each follow.
    """

    followed: Counter[Pair] = field(default_factory=Counter)
    was_followed: Counter[Pair] = field(default_factory=Counter)

    def add(self, document: Mapping[str, Any]) -> None:
        """Count an event document; the older version that chaos stores has a field `target`."""
        data = document["data"]
        if document["type"] == "Followed":
            self.followed[data["user_id"], data.get("to_follow") or data["target"]] += 1
        elif document["type"] == "WasFollowed":
            self.was_followed[data["follower"], data["user_id"]] += 1

    def lost(self, expected: ExpectedState) -> int:
        """Return the number of expected events that are not stored."""
        return sum(
            len(expected.pairs - counts.keys()) for counts in (self.followed, self.was_followed)
        )

    def duplicated(self, expected: ExpectedState) -> int:
        """Return the number of stored events beyond the first of each expected event."""
        return sum(
            count - (pair in expected.pairs)
            for counts in (self.followed, self.was_followed)
            for pair, count in counts.items()
        )


def _has_exactly(users: Iterable[str], expected: frozenset[str] | None) -> bool:
    users = list(users)
    return len(users) == len(set(users)) and set(users) == (expected or frozenset())
