"""Whether the store holds exactly what the graph says: pure comparison."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from uuid import UUID

    from local.stage.follows import Follow

Pair = tuple[str, str]


@dataclass(frozen=True, kw_only=True)
class Expected:
    """What the graph says, without repetitions and self-follows."""

    pairs: frozenset[Pair]
    users: tuple[UUID, ...]
    following: Mapping[str, frozenset[str]]
    followers: Mapping[str, frozenset[str]]

    @classmethod
    def of(cls, follows: Sequence[Follow]) -> Expected:
        """What must come out of these follows."""
        following: defaultdict[str, set[str]] = defaultdict(set)
        followers: defaultdict[str, set[str]] = defaultdict(set)
        for follow in follows:
            if not follow.to_oneself:
                following[str(follow.follower)].add(str(follow.followed))
                followers[str(follow.followed)].add(str(follow.follower))
        users = dict.fromkeys(user for each in follows for user in (each.follower, each.followed))
        return cls(
            pairs=frozenset((a, b) for a, targets in following.items() for b in targets),
            users=tuple(users),
            following={user: frozenset(each) for user, each in following.items()},
            followers={user: frozenset(each) for user, each in followers.items()},
        )

    def is_right(self, user: UUID, entity: Mapping[str, Any]) -> bool:
        """Whether the user's entity has exactly the graph's follows, each once."""
        name = str(user)
        return _same(entity.get("following", ()), self.following.get(name)) and _same(
            entity.get("followers", ()), self.followers.get(name)
        )


@dataclass(kw_only=True)
class Stored:
    """What the events container holds: how often each follow is there, in both directions."""

    followed: Counter[Pair] = field(default_factory=Counter)
    was_followed: Counter[Pair] = field(default_factory=Counter)

    def add(self, document: Mapping[str, Any]) -> None:
        """Count one event document; chaos plants some of an older form, which say `target`."""
        data = document["data"]
        if document["type"] == "Followed":
            self.followed[data["user_id"], data.get("to_follow") or data["target"]] += 1
        elif document["type"] == "WasFollowed":
            self.was_followed[data["follower"], data["user_id"]] += 1

    def lost(self, expected: Expected) -> int:
        """Events that should be there and are not."""
        return sum(len(expected.pairs - each.keys()) for each in (self.followed, self.was_followed))

    def duplicated(self, expected: Expected) -> int:
        """Events that are there once too often, or should not be there at all."""
        return sum(
            count - (pair in expected.pairs)
            for each in (self.followed, self.was_followed)
            for pair, count in each.items()
        )


def _same(found: Iterable[str], expected: frozenset[str] | None) -> bool:
    found = list(found)
    return len(found) == len(set(found)) and set(found) == (expected or frozenset())
