"""Who follows whom: "A followed B" implies "B was followed by A"."""

from collections.abc import Iterator
from uuid import UUID

from core import Command, Entity, Event, Id, Refused, projection, reduces


class Followed(Event, entity="followship"):
    """A user started to follow another one; stored in the follower's stream."""

    user_id: Id[UUID]
    to_follow: UUID


class WasFollowed(Event, entity="followship"):
    """A user got a follower; stored in the followed user's stream."""

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


class Followship(Entity):
    """The users whom a user follows, and the user's followers."""

    following: frozenset[UUID] = frozenset()
    followers: frozenset[UUID] = frozenset()

    @reduces
    def followed(self, event: Followed) -> "Followship":
        """Add the followed user."""
        return self.evolve(following=self.following | {event.to_follow})

    @reduces
    def was_followed(self, event: WasFollowed) -> "Followship":
        """Add the follower."""
        return self.evolve(followers=self.followers | {event.follower})


@projection
def followers(event: Followed) -> Iterator[WasFollowed]:
    """Record each follow in the followed user's stream."""
    yield WasFollowed(user_id=event.to_follow, follower=event.user_id)
