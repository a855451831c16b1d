"""Who follows whom: "A followed B" implies "B was followed by A"."""

from collections.abc import Iterator
from uuid import UUID

from core import Command, Entity, Event, Refused, projection, reduces


class Followed(Event, entity="followship"):
    """`user_id` began to follow `to_follow`; lies in the follower's stream."""

    user_id: UUID
    to_follow: UUID

    @property
    def entity_id(self) -> UUID:
        """The follower."""
        return self.user_id


class WasFollowed(Event, entity="followship"):
    """`follower` began to follow `user_id`; lies in the followed user's stream."""

    user_id: UUID
    follower: UUID

    @property
    def entity_id(self) -> UUID:
        """The followed user."""
        return self.user_id


class Follow(Command):
    """Let a user follow another one."""

    user_id: UUID
    to_follow: UUID

    def handle(self) -> Iterator[Followed]:
        """Append `Followed`; nobody can follow themselves."""
        if self.user_id == self.to_follow:
            raise Refused("Nobody can follow themselves.", field="to_follow")
        yield Followed(user_id=self.user_id, to_follow=self.to_follow)


class Followship(Entity):
    """Whom a user follows, and who follows them; each once, in the order of the events."""

    following: tuple[UUID, ...] = ()
    followers: tuple[UUID, ...] = ()

    @reduces
    def followed(self, event: Followed) -> "Followship":
        """Following twice leaves one follow."""
        if event.to_follow in self.following:
            return self
        return self.evolve(following=(*self.following, event.to_follow))

    @reduces
    def was_followed(self, event: WasFollowed) -> "Followship":
        """Being followed twice by the same user leaves one follower."""
        if event.follower in self.followers:
            return self
        return self.evolve(followers=(*self.followers, event.follower))


@projection
def followers(event: Followed) -> Iterator[WasFollowed]:
    """The followed user was followed."""
    yield WasFollowed(user_id=event.to_follow, follower=event.user_id)
