from __future__ import annotations

import pytest
from typing_extensions import Self

from core import Entity, Event, reduces
from core.errors import DefinitionError
from core.model.entities import fold, reducers
from tests.apps.follows.followship import Followed, Followship, WasFollowed
from tests.support import user


class Renamed(Event, entity="person"):
    name: str

    @property
    def entity_id(self) -> str:
        return "1"


class Person(Entity):
    name: str = ""
    names: tuple[str, ...] = ()

    @reduces
    def renamed(self, event: Renamed) -> Self:
        return self.evolve(name=event.name, names=(*self.names, event.name))


def test_state_is_folded_in_the_order_of_the_events() -> None:
    """The last event wins where a reducer says so."""
    person = fold(Person, [Renamed(name="a"), Renamed(name="b")])

    assert person == Person(name="b", names=("a", "b"))


def test_events_without_a_reducer_change_nothing() -> None:
    """An entity takes what it knows."""
    assert fold(Person, [Followed(user_id=user(1), to_follow=user(2))]) == Person()


def test_following_twice_leaves_one_follow() -> None:
    """Under a new request as well: the events differ, the state does not."""
    follow = Followed(user_id=user(1), to_follow=user(2))
    was_followed = WasFollowed(user_id=user(1), follower=user(3))

    state = fold(Followship, [follow, was_followed, follow, was_followed])

    assert state == Followship(following=frozenset({user(2)}), followers=frozenset({user(3)}))


class NoDefault(Entity):
    name: str


class Foreign(Entity):
    @reduces
    def followed(self, event: Followed) -> Self:
        return self


class Twice(Entity, name="person"):
    @reduces
    def one(self, event: Renamed) -> Self:
        return self

    @reduces
    def two(self, event: Renamed) -> Self:
        return self


class NoEvent(Entity):
    @reduces
    def anything(self, event: int) -> Self:
        return self


class TooMany(Entity):
    @reduces
    def anything(self, event: Renamed, more: int) -> Self:
        return self


@pytest.mark.parametrize(
    ("entity", "message"),
    [
        (NoDefault, "has no default for name"),
        (Foreign, "belongs to entity 'followship'"),
        (Twice, "Twice reduces Renamed twice"),
        (NoEvent, "Annotate the event of reducer NoEvent.anything"),
        (TooMany, r"takes \(self, event\)"),
    ],
)
def test_an_unusable_entity_is_rejected(entity: type[Entity], message: str) -> None:
    """The error says what is wrong, before anything runs."""
    with pytest.raises(DefinitionError, match=message):
        reducers(entity)
