"""Who follows whom, with two faults that a later deployment fixes.

The projection fails for some users, and events of an older version cannot be parsed. The setting
FAULTS_FIXED stands for the deployment of fixed code.
"""

import os
from collections.abc import Iterator
from typing import Any
from uuid import UUID

from pydantic import model_validator

from core import Command, Entity, Event, Id, Refused, projection, reduces

FAULTS_FIXED = os.environ.get("FAULTS_FIXED") == "1"
POISON_PREFIX = "0000dead"
"""The start of the ids of the users for whom the projection fails."""


class Followed(Event, entity="followship"):
    """A user started to follow another one; an older version called the latter `target`."""

    user_id: Id[UUID]
    to_follow: UUID

    @model_validator(mode="before")
    @classmethod
    def parse_older_version(cls, data: dict[str, Any]) -> dict[str, Any]:
        """Return the fields of today for those of the older version, once this is fixed."""
        if not FAULTS_FIXED or "target" not in data:
            return data
        return {"to_follow": data["target"], "user_id": data["user_id"]}


class WasFollowed(Event, entity="followship"):
    """A user got a follower."""

    user_id: Id[UUID]
    follower: UUID


class Unfollowed(Event, entity="followship"):
    """A user no longer follows another one."""

    user_id: Id[UUID]
    to_follow: UUID


class WasUnfollowed(Event, entity="followship"):
    """A user lost a follower."""

    user_id: Id[UUID]
    follower: UUID


class Follow(Command):
    """A request that a user follows another one."""

    user_id: UUID
    to_follow: UUID

    def handle(self) -> Iterator[Followed]:
        """Append `Followed`, unless a user is to follow themselves."""
        if self.user_id == self.to_follow:
            raise Refused("Nobody can follow themselves.", field="to_follow")
        yield Followed(user_id=self.user_id, to_follow=self.to_follow)


class Unfollow(Command):
    """A request that a user no longer follows another one."""

    user_id: UUID
    to_follow: UUID

    def handle(self) -> Iterator[Unfollowed]:
        """Append `Unfollowed`."""
        yield Unfollowed(user_id=self.user_id, to_follow=self.to_follow)


class Followship(Entity):
    """The users whom a user follows and the user's followers; it shows duplicated events."""

    following: tuple[UUID, ...] = ()
    followers: tuple[UUID, ...] = ()

    @reduces
    def followed(self, event: Followed) -> "Followship":
        """Add the followed user."""
        return self.evolve(following=(*self.following, event.to_follow))

    @reduces
    def was_followed(self, event: WasFollowed) -> "Followship":
        """Add the follower."""
        return self.evolve(followers=(*self.followers, event.follower))

    @reduces
    def unfollowed(self, event: Unfollowed) -> "Followship":
        """Remove the followed user once."""
        return self.evolve(following=without(self.following, event.to_follow))

    @reduces
    def was_unfollowed(self, event: WasUnfollowed) -> "Followship":
        """Remove the follower once."""
        return self.evolve(followers=without(self.followers, event.follower))


def without(users: tuple[UUID, ...], user: UUID) -> tuple[UUID, ...]:
    """Return the users without the first occurrence of one."""
    if user not in users:
        return users
    index = users.index(user)
    return (*users[:index], *users[index + 1 :])


@projection
def followers(event: Followed) -> Iterator[WasFollowed]:
    """Record each follow in the followed user's stream, unless the fault is in the way."""
    if event.to_follow.hex.startswith(POISON_PREFIX) and not FAULTS_FIXED:
        raise LookupError("no such user")
    yield WasFollowed(user_id=event.to_follow, follower=event.user_id)


@projection
def lost_followers(event: Unfollowed) -> Iterator[WasUnfollowed]:
    """Record each unfollow in the stream of the user who was followed."""
    yield WasUnfollowed(user_id=event.to_follow, follower=event.user_id)
