from __future__ import annotations

from uuid import UUID

import pytest

from core import Event, Id, Value
from core.errors import DefinitionError
from core.model.documents import stream_of
from core.model.events import check_entity_id


class Paid(Event, entity="order"):
    order_id: Id[UUID]
    amount: int


class Closed(Event, entity="day"):
    day: str
    shop: str

    @property
    def entity_id(self) -> str:
        return f"{self.day}~{self.shop}"


class Lost(Event, entity="order"):
    order_id: UUID


class Early(Event, entity="order"):
    order_id: Id[UUID]
    lines: tuple[Line, ...] = ()


class Line(Value):
    sku: str


def test_the_marked_field_is_the_id() -> None:
    """Or a property, for an id of several fields."""
    assert stream_of(Paid(order_id=UUID(int=1), amount=2)) == f"order-{UUID(int=1)}"
    assert stream_of(Closed(day="2026-01-01", shop="a")) == "day-2026-01-01~a"
    check_entity_id(Paid)
    check_entity_id(Closed)


def test_the_id_is_known_before_other_fields_are() -> None:
    """A field may be annotated with a class below."""
    assert Early(order_id=UUID(int=1), lines=(Line(sku="tea"),)).entity_id == UUID(int=1)


def test_an_event_says_which_entity_it_belongs_to() -> None:
    """Otherwise the application does not start."""
    message = (
        "Event Lost does not say which order it belongs to → mark the field that does: Id[UUID]."
    )
    with pytest.raises(DefinitionError) as failure:
        check_entity_id(Lost)
    assert str(failure.value) == message
    with pytest.raises(DefinitionError, match="Event Lost does not say which"):
        _ = Lost(order_id=UUID(int=1)).entity_id


def test_an_event_has_one_id() -> None:
    """Of two it would not be known which one counts."""
    with pytest.raises(DefinitionError) as failure:

        class Doubled(Event, entity="order"):
            order_id: Id[UUID]
            other_id: Id[UUID]

    assert str(failure.value) == (
        "Doubled has the ids order_id, other_id → mark one field with Id, or define entity_id "
        "instead."
    )


def test_an_event_has_an_id_or_a_property() -> None:
    """For the same reason."""
    with pytest.raises(DefinitionError) as failure:

        class Both(Event, entity="order"):
            order_id: Id[UUID]

            @property
            def entity_id(self) -> UUID:
                return self.order_id

    assert str(failure.value) == (
        "Event Both has the id order_id and defines entity_id → keep one of them."
    )
