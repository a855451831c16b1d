"""A command, two events in streams of the same kind, a projection, and an entity."""

from collections.abc import Iterator
from uuid import UUID

from core import Command, Entity, Event, Id, Refused, projection, reduces


class Followed(Event, entity="followship"):
    user_id: Id[UUID]
    to_follow: UUID


class WasFollowed(Event, entity="followship"):
    user_id: Id[UUID]
    follower: UUID


class Follow(Command):
    user_id: UUID
    to_follow: UUID

    def handle(self) -> Iterator[Followed]:
        if self.user_id == self.to_follow:
            raise Refused("Nobody can follow themselves.", field="to_follow")
        yield Followed(user_id=self.user_id, to_follow=self.to_follow)


class Followship(Entity):
    following: frozenset[UUID] = frozenset()
    followers: frozenset[UUID] = frozenset()

    @reduces
    def followed(self, event: Followed) -> "Followship":
        return self.evolve(following=self.following | {event.to_follow})

    @reduces
    def was_followed(self, event: WasFollowed) -> "Followship":
        return self.evolve(followers=self.followers | {event.follower})


@projection
def followers(event: Followed) -> Iterator[WasFollowed]:
    yield WasFollowed(user_id=event.to_follow, follower=event.user_id)
