"""Orders are placed, paid once, and cancelled while they are not paid."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from typing import Literal
from uuid import UUID

from pydantic import Field

from core import Command, Conflict, Entity, Event, Id, Refused, Value, reduces


class Line(Value):
    sku: str
    quantity: int = Field(gt=0)
    price: Decimal


class OrderPlaced(Event, entity="order"):
    order_id: Id[UUID]
    lines: tuple[Line, ...]


class OrderPaid(Event, entity="order"):
    order_id: Id[UUID]
    amount: Decimal
    paid_at: datetime


class OrderNoted(Event, entity="order"):
    order_id: Id[UUID]
    note: str


class OrderViewed(Event, entity="order"):
    order_id: Id[UUID]
    viewed_at: datetime


class Order(Entity):
    status: Literal["placed", "paid"] = "placed"
    total: Decimal = Decimal(0)
    paid_at: datetime | None = None

    @reduces
    def placed(self, event: OrderPlaced) -> Order:
        return self.evolve(total=sum(line.price * line.quantity for line in event.lines))

    @reduces
    def paid(self, event: OrderPaid) -> Order:
        return self.evolve(status="paid", paid_at=event.paid_at)


class AlreadyPaid(Conflict):
    """The order is paid already."""


class PlaceOrder(Command):
    order_id: Id[UUID]
    lines: tuple[Line, ...]

    def handle(self, order: Order | None) -> Iterator[OrderPlaced]:
        if order is not None:
            raise Conflict("There is an order of this id.")
        yield OrderPlaced(order_id=self.order_id, lines=self.lines)


class PayOrder(Command):
    order_id: Id[UUID]
    amount: Decimal

    def handle(self, order: Order, now: datetime) -> Iterator[OrderPaid]:
        if order.status == "paid":
            raise AlreadyPaid("The order is paid already.", paid_at=order.paid_at)
        if self.amount != order.total:
            raise Refused("Pay the total.", field="amount")
        yield OrderPaid(order_id=self.order_id, amount=self.amount, paid_at=now)


class NoteOrder(Command):
    order_id: Id[UUID]
    note: str

    def handle(self) -> Iterator[OrderNoted]:
        yield OrderNoted(order_id=self.order_id, note=self.note)


class ViewOrder(Command):
    order_id: Id[UUID]

    def handle(self, now: datetime) -> Iterator[OrderViewed]:
        yield OrderViewed(order_id=self.order_id, viewed_at=now)


class TouchOrder(Command):
    order_id: Id[UUID]

    def handle(self, order: Order) -> Iterator[OrderNoted]:
        return iter(())
