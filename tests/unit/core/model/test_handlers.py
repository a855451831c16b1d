from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from datetime import datetime, timezone
from typing import Any
from uuid import UUID

import pytest

from core import Command, Entity, Event, Id, reduces
from core.errors import DefinitionError
from core.model.handlers import Handler, handler_of

TWO_ENTITIES = (
    "handle of Ship takes Order and Stock: one stream can be decided on → bring the other's facts "
    "in by a projection"
)
ANOTHER_ENTITY = (
    "handle of Ship yields Taken of entity stock, not order → a projection writes other streams"
)
NOW = datetime(2026, 1, 2, tzinfo=timezone.utc)


class Paid(Event, entity="order"):
    order_id: Id[UUID]


class Taken(Event, entity="stock"):
    sku: Id[str]


class Order(Entity):
    is_paid: bool = False

    @reduces
    def paid(self, event: Paid) -> Order:
        return self.evolve(is_paid=True)


class Stock(Entity):
    left: int = 0


class Database:
    pass


class Pay(Command):
    order_id: Id[UUID]

    def handle(self, order: Order, now: datetime) -> Iterator[Paid]:
        yield Paid(order_id=self.order_id)


class Place(Command):
    order_id: Id[UUID]

    def handle(self, order: Order | None) -> Iterator[Paid]:
        yield Paid(order_id=self.order_id)


class Note(Command):
    def handle(self) -> Iterator[Event]:
        yield Paid(order_id=UUID(int=1))


def test_annotations_say_what_a_command_decides_on() -> None:
    """A state that must be there, one that may be missing, or none."""
    assert handler_of(Pay) == Handler(
        entity=Order,
        entity_parameter="order",
        is_required=True,
        time_parameter="now",
        event_types=(Paid,),
    )
    assert handler_of(Place) == Handler(
        entity=Order, entity_parameter="order", is_required=False, event_types=(Paid,)
    )
    assert handler_of(Note) == Handler()


def test_a_handler_is_called_with_what_it_takes() -> None:
    """By the names of its parameters."""
    state = Order()

    assert handler_of(Pay).arguments(state, NOW) == {"order": state, "now": NOW}
    assert handler_of(Place).arguments(None, NOW) == {"order": None}
    assert handler_of(Note).arguments(None, NOW) == {}


def _command(handle: Callable[..., Any] | None, **fields: Any) -> type[Command]:
    namespace: dict[str, Any] = {"__annotations__": fields, "__module__": __name__}
    return type("Ship", (Command,), {**namespace, **({"handle": handle} if handle else {})})


async def _waits(self: Command) -> AsyncIterator[Paid]:
    yield Paid(order_id=UUID(int=1))


def _takes_a_database(self: Command, db: Database) -> Iterator[Paid]:
    yield Paid(order_id=UUID(int=1))


def _takes_two(self: Command, order: Order, stock: Stock) -> Iterator[Paid]:
    yield Paid(order_id=UUID(int=1))


def _takes_one_of_two(self: Command, order: Order | Stock) -> Iterator[Paid]:
    yield Paid(order_id=UUID(int=1))


def _takes_one(self: Command, order: Order) -> Iterator[Paid]:
    yield Paid(order_id=UUID(int=1))


def _yields_another(self: Command, order: Order) -> Iterator[Taken]:
    yield Taken(sku="tea")


def _says_nothing(self: Command, order: Order):  # type: ignore[no-untyped-def]  # noqa: ANN202 - the fault
    yield Paid(order_id=UUID(int=1))


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (
            _command(None),
            "command Ship has no handle → def handle(self) -> Iterator[...]: with its events",
        ),
        (
            _command(_waits),
            "handle of Ship is async: it waits for nothing → take what it needs as fields",
        ),
        (
            _command(_takes_a_database),
            "handle of Ship: `db: Database` is neither an entity nor `now: datetime`",
        ),
        (
            _command(_takes_two),
            TWO_ENTITIES,
        ),
        (
            _command(_takes_one_of_two),
            TWO_ENTITIES,
        ),
        (
            _command(_takes_one, order_id=UUID),
            "Ship decides on Order but does not say which → order_id: Id[UUID]",
        ),
        (
            _command(_yields_another, order_id=Id[UUID]),
            ANOTHER_ENTITY,
        ),
        (
            _command(_says_nothing, order_id=Id[UUID]),
            "handle of Ship does not say which events → -> Iterator[OrderPaid]",
        ),
    ],
)
def test_a_handler_that_cannot_be_right_is_rejected(command: type[Command], message: str) -> None:
    """With what to write instead."""
    with pytest.raises(DefinitionError) as failure:
        handler_of(command)
    assert str(failure.value) == message
