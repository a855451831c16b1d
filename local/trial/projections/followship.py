"""Who follows whom, as in the example, but with two faults that a later deployment mends.

The projection fails for some users, and events of an older form cannot be read. The setting
MENDED stands for the deployment of mended code.
"""

import os
from collections.abc import Iterator
from typing import Any
from uuid import UUID

from pydantic import model_validator

from core import Command, Entity, Event, Refused, projection, reduces

MENDED = os.environ.get("MENDED") == "1"
UNLUCKY = "0000dead"
"""How the ids of users begin for whom the first deployment fails."""


class Followed(Event, entity="followship"):
    """`user_id` began to follow `to_follow`; the older form called it `target`."""

    user_id: UUID
    to_follow: UUID

    @model_validator(mode="before")
    @classmethod
    def read_older_form(cls, data: dict[str, Any]) -> dict[str, Any]:
        """What the first deployment could not."""
        if not MENDED or "target" not in data:
            return data
        return {"to_follow": data["target"], "user_id": data["user_id"]}

    @property
    def entity_id(self) -> UUID:
        """The follower."""
        return self.user_id


class WasFollowed(Event, entity="followship"):
    """`follower` began to follow `user_id`."""

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
        """Nobody can follow themselves."""
        if self.user_id == self.to_follow:
            raise Refused("Nobody can follow themselves.", field="to_follow")
        yield Followed(user_id=self.user_id, to_follow=self.to_follow)


class Followship(Entity):
    """Whom a user follows, and who follows them; repetitions would be seen."""

    following: tuple[UUID, ...] = ()
    followers: tuple[UUID, ...] = ()

    @reduces
    def followed(self, event: Followed) -> "Followship":
        """Each event counts."""
        return self.evolve(following=(*self.following, event.to_follow))

    @reduces
    def was_followed(self, event: WasFollowed) -> "Followship":
        """Each event counts."""
        return self.evolve(followers=(*self.followers, event.follower))


@projection
def followers(event: Followed) -> Iterator[WasFollowed]:
    """The followed user was followed; the first deployment fails for unlucky ones."""
    if event.to_follow.hex.startswith(UNLUCKY) and not MENDED:
        raise LookupError("no such user")
    yield WasFollowed(user_id=event.to_follow, follower=event.user_id)
