"""Commands that decide on the state of their entity."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest
from azure.cosmos.aio import DatabaseProxy

from core.application import Application
from core.cosmos.clock import host_time
from core.errors import (
    Conflict,
    EngineError,
    IdempotencyKeyReusedError,
    NotFound,
    PositionConflictError,
    Refused,
    UnknownResourceError,
)
from core.functions.problems import to_problem
from core.model.times import format_time, parse_time
from core.streams.keys import Appended
from tests.apps import orders
from tests.apps.orders.orders import Order
from tests.support import user

ORDER = str(user(1))
LINES = [{"sku": "tea", "quantity": 2, "price": "3.50"}]


class Shop:
    """The application on one host."""

    def __init__(self, application: Application) -> None:
        self.application = application

    async def send(self, name: str, **fields: Any) -> Appended:
        options = {key: fields.pop(key) for key in ("key", "position") if key in fields}
        body = json.dumps({"order_id": ORDER, **fields}).encode()
        return await self.application.execute(
            name,
            body,
            idempotency_key=options.get("key"),
            expected_position=options.get("position"),
        )

    async def try_to_send(self, name: str, **fields: Any) -> Appended | EngineError:
        try:
            return await self.send(name, **fields)
        except EngineError as error:
            return error

    async def place(self, **options: Any) -> Appended:
        return await self.send("place_order", lines=LINES, **options)

    async def pay(self, **options: Any) -> Appended | EngineError:
        return await self.try_to_send("pay_order", **{"amount": "7.00", **options})

    async def order(self) -> Order:
        entity = (await self.application.load_entity("order", ORDER)).entity
        assert isinstance(entity, Order)
        return entity


@pytest.fixture
async def shops(database: DatabaseProxy, environ: dict[str, str]) -> AsyncIterator[list[Shop]]:
    """Two hosts over one account."""
    async with AsyncExitStack() as stack:
        applications = [Application.discover(orders, environ) for _ in range(2)]
        for application in applications:
            stack.push_async_callback(application.close)
        yield [Shop(application) for application in applications]


@pytest.fixture
def shop(shops: list[Shop]) -> Shop:
    return shops[0]


async def test_an_order_is_paid_once(shops: list[Shop]) -> None:
    """Of five payments at once, over two hosts, one is accepted and four are told why not."""
    await shops[0].place()

    answers = await asyncio.gather(*(shops[number % 2].pay() for number in range(5)))

    paid = [answer for answer in answers if isinstance(answer, Appended)]
    refused = [answer for answer in answers if isinstance(answer, Conflict)]
    assert [answer.position for answer in paid] == [2]
    assert [answer.kind for answer in refused] == ["already_paid"] * 4
    assert (await shops[1].order()).status == "paid"


async def test_the_time_that_a_command_takes_is_that_of_its_events(
    shop: Shop, database: DatabaseProxy
) -> None:
    """To the last digit, also if the stream is ahead of the clock."""
    await shop.place()
    await shop.pay()

    events = database.get_container_client("events")
    event = await events.read_item("n000000000002", f"order-{ORDER}")
    paid_at = (await shop.order()).paid_at
    assert paid_at is not None
    assert event["time"] == format_time(paid_at)


async def test_a_command_without_an_entity_takes_the_corrected_time(
    shop: Shop, database: DatabaseProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which is that of its event, here of a clock that stands still."""
    standing = parse_time(format_time(host_time()))
    monkeypatch.setattr(shop.application.services.client.clock, "host_time", lambda: standing)

    await shop.send("view_order")

    events = database.get_container_client("events")
    event = await events.read_item("n000000000001", f"order-{ORDER}")
    assert event["time"] == format_time(parse_time(event["data"]["viewed_at"]))


async def test_what_is_not_there_cannot_be_paid(shop: Shop) -> None:
    """An event without a reducer does not bring an entity into being."""
    await shop.send("note_order", note="call back")

    answer = await shop.pay()
    assert isinstance(answer, NotFound)
    assert to_problem(answer).to_dict() == {
        "type": "/problems/not_found",
        "title": "No such entity.",
        "status": 404,
        "detail": "There is no order of this id.",
    }
    with pytest.raises(UnknownResourceError):
        await shop.order()
    assert (await shop.place()).position == 2


async def test_refusals_are_problems_that_programs_can_tell_apart(shop: Shop) -> None:
    """By type, with what the author tells of them."""
    await shop.place()
    wrong = await shop.pay(amount="8.00")
    again = await shop.try_to_send("place_order", lines=LINES)
    await shop.pay()
    paid = await shop.pay()

    assert isinstance(wrong, Refused)
    assert isinstance(again, Refused)
    assert isinstance(paid, Refused)
    assert to_problem(wrong).to_dict() == {
        "type": "/problems/refused",
        "title": "A refusal of the request.",
        "status": 422,
        "detail": "Pay the total.",
        "errors": [{"field": "amount", "detail": "Pay the total."}],
    }
    assert (to_problem(again).type, to_problem(again).status) == ("/problems/conflict", 409)
    paid_at = (await shop.order()).paid_at
    assert paid_at is not None
    assert to_problem(paid).to_dict() == {
        "type": "/problems/already_paid",
        "title": "The order is paid already.",
        "status": 409,
        "detail": "The order is paid already.",
        "paid_at": paid_at.isoformat().replace("+00:00", "Z"),
    }


async def test_a_repeated_payment_gets_the_same_answer(shops: list[Shop]) -> None:
    """From any host, before the state is looked at, and never for another request."""
    await shops[0].place()

    first = await shops[0].pay(key="1")
    second = await shops[1].pay(key="1")
    other = await shops[1].pay(key="1", amount="8.00")

    assert isinstance(first, Appended)
    assert second == first
    assert isinstance(other, IdempotencyKeyReusedError)


async def test_a_refusal_with_a_key_is_remembered(shops: list[Shop]) -> None:
    """With its kind and facts, also when the state would allow it by now."""
    first = await shops[0].pay(key="1")
    await shops[0].place()
    second = await shops[1].pay(key="1")

    assert isinstance(first, NotFound)
    assert isinstance(second, NotFound)
    assert to_problem(second) == to_problem(first)
    assert isinstance(await shops[1].pay(key="2"), Appended)
    paid = await shops[0].pay(key="3")
    repeated = await shops[1].pay(key="3")
    assert isinstance(paid, Conflict)
    assert isinstance(repeated, Conflict)
    assert to_problem(repeated) == to_problem(paid)


async def test_a_decision_may_append_nothing(shop: Shop) -> None:
    """Then it has no position."""
    await shop.place()

    assert await shop.send("touch_order") == Appended()


async def test_a_caller_may_name_the_position_that_it_decided_on(shop: Shop) -> None:
    """Then the engine does not decide again."""
    await shop.place()
    await shop.send("note_order", note="a")

    assert isinstance(await shop.pay(position=1), PositionConflictError)
    paid = await shop.pay(position=2)
    assert isinstance(paid, Appended)
    assert paid.position == 3


async def test_a_tag_that_another_host_has_told_is_known(shops: list[Shop]) -> None:
    """Also by a host whose replica does not have the event yet, for both kinds of commands."""
    for command, fields in (("note_order", {"note": "a"}), ("touch_order", {})):
        await shops[0].try_to_send("place_order", lines=LINES)
        await shops[0].send("note_order", note="b")
        state = await shops[0].application.load_entity("order", ORDER)

        body = json.dumps({"order_id": ORDER, **fields}).encode()
        await shops[1].application.execute(command, body, expected_tag=state.etag)
