from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from uuid import UUID

import pytest

from core import Command, Conflict, Id, NotFound
from core.errors import DefinitionError
from core.testing import given
from core.testing.deciding import Decided
from core.testing.sentences import unended_sentences
from tests.apps import orders
from tests.apps.follows.followship import Follow, Followed, WasFollowed
from tests.apps.notices.board import Post, Posted
from tests.apps.orders.orders import (
    AlreadyPaid,
    Line,
    NoteOrder,
    Order,
    OrderNoted,
    OrderPaid,
    OrderPlaced,
    PayOrder,
    PlaceOrder,
    TouchOrder,
)

NOW = datetime(2026, 1, 2, 10, tzinfo=timezone.utc)
LATER = NOW + timedelta(hours=1)
ID, OTHER = UUID(int=1), UUID(int=2)
LINES = (Line(sku="tea", quantity=2, price=Decimal("3.50")),)
TOTAL = Decimal("7.00")
PLACED = OrderPlaced(order_id=ID, lines=LINES)
PAID = OrderPaid(order_id=ID, amount=TOTAL, paid_at=NOW)
PAY = PayOrder(order_id=ID, amount=TOTAL)
APPENDED = OrderPaid.model_validate_json(PAID.model_dump_json())
"""The event as it is read back."""

GIVEN = f"Given\n      1. {PLACED!r}\nwhen  {PAY!r}\n"


def test_a_command_appends_events() -> None:
    """On the state of its stream, at the time of the test."""
    given(PLACED).at(NOW).when(PAY).then(PAID)


def test_a_command_sees_the_events_of_its_own_stream() -> None:
    """Whatever else happened."""
    other = OrderPlaced(order_id=OTHER, lines=())

    given(other).when(PAY).then_refused(NotFound, "There is no order of this id")
    given(other, PLACED).at(NOW).when(PAY).then(PAID)


def test_a_command_is_refused() -> None:
    """By kind, message and field."""
    given(PLACED, PAID).when(PAY).then_refused(AlreadyPaid, "paid already")
    given(PLACED, PAID).when(PAY).then_refused(Conflict)
    given(PLACED).when(PayOrder(order_id=ID, amount=Decimal(1))).then_refused(field="amount")


def test_a_command_appends_nothing() -> None:
    """Which is no refusal, and leaves the entity as it is."""
    decided = given(PLACED).when(TouchOrder(order_id=ID)).then_nothing()

    assert decided.events == ()
    assert decided.state == Order(total=TOTAL)


def test_commands_follow_each_other() -> None:
    """And what is checked is the last one."""
    place = PlaceOrder(order_id=ID, lines=LINES)

    given().at(NOW).when(place).when(PAY).then(PAID)
    given().when(place).at(NOW).when(PAY).then(PAID).at(LATER).when(PAY).then_refused(AlreadyPaid)


def test_events_and_state_are_values() -> None:
    """For plain assertions, also of commands that decide on nothing."""
    decided = given(PLACED).when(NoteOrder(order_id=ID, note="fast"))

    assert decided.events == (OrderNoted(order_id=ID, note="fast"),)
    assert decided.state == Order(total=TOTAL)
    assert given().when(NoteOrder(order_id=ID, note="fast")).state is None


def test_an_application_can_be_named() -> None:
    """By its package."""
    given(PLACED, app=orders).at(NOW).when(PAY).then(PAID)


def test_what_follows_is_derived_in_memory() -> None:
    """As the engine derives it."""
    given().when(Follow(user_id=ID, to_follow=OTHER)).leads_to(
        Followed(user_id=ID, to_follow=OTHER), WasFollowed(user_id=OTHER, follower=ID)
    )


def test_a_projection_that_fails_ends_what_follows() -> None:
    """With the author's error."""
    with pytest.raises(AssertionError, match=r"(?s)deliveries raised ValueError\..*nobody reads"):
        given().when(Post(board="a", readers=0)).leads_to(Posted(board="a", readers=0))


@pytest.mark.parametrize(
    ("check", "message"),
    [
        pytest.param(
            lambda: (
                given(PLACED)
                .at(NOW)
                .when(PAY)
                .then(OrderPaid(order_id=ID, amount=Decimal("8.00"), paid_at=NOW))
            ),
            f"{GIVEN}then  ( - expected, + appended, ! differs )\n"
            "  !   1. OrderPaid\n"
            f"           order_id = {ID!r}\n"
            "           amount: expected Decimal('8.00')\n"
            "                   got      Decimal('7.00')\n"
            f"           paid_at = {APPENDED.paid_at!r}",
            id="a field",
        ),
        pytest.param(
            lambda: given(PLACED).at(NOW).when(PAY).then_nothing(),
            f"{GIVEN}then  ( - expected, + appended, ! differs )\n  +   1. {APPENDED!r}",
            id="an event",
        ),
        pytest.param(
            lambda: given(PLACED).at(NOW).when(PAY).leads_to(PAID, PAID),
            f"{GIVEN}leads to  ( - expected, + followed, ! differs )\n"
            f"      1. {APPENDED!r}\n  -   2. {PAID!r}",
            id="what follows",
        ),
        pytest.param(
            lambda: given(PLACED).at(NOW).when(PAY).when(PAY).then(PAID),
            f"{GIVEN}when  {PAY!r}\nthen  it was refused: AlreadyPaid: The order is paid already.",
            id="a refusal",
        ),
        pytest.param(
            lambda: given().when(PAY).when(PAY),
            f"Given nothing\nwhen  {PAY!r}\n"
            "then  it was refused: NotFound: There is no order of this id.",
            id="a refusal amid",
        ),
        pytest.param(
            lambda: given(PLACED).at(NOW).when(PAY).then_refused(),
            f"{GIVEN}then  it was not refused, and appended\n      1. {APPENDED!r}",
            id="no refusal",
        ),
        pytest.param(
            lambda: given().when(PAY).then_refused(AlreadyPaid),
            f"Given nothing\nwhen  {PAY!r}\n"
            "then  it was refused: NotFound: There is no order of this id.\n"
            "      expected AlreadyPaid",
            id="another kind",
        ),
        pytest.param(
            lambda: given().when(PAY).then_refused(pattern="of [^t]"),
            f"Given nothing\nwhen  {PAY!r}\n"
            "then  it was refused: NotFound: There is no order of this id.\n"
            "      expected a message with 'of [^t]'",
            id="another message",
        ),
        pytest.param(
            lambda: (
                given(PLACED)
                .when(PayOrder(order_id=ID, amount=Decimal(1)))
                .then_refused(field="id")
            ),
            f"Given\n      1. {PLACED!r}\nwhen  {PayOrder(order_id=ID, amount=Decimal(1))!r}\n"
            "then  it was refused: Refused: Pay the total. (field amount)\n"
            "      expected field id",
            id="another field",
        ),
    ],
)
def test_failures_show_what_came_before(check: Callable[[], Decided], message: str) -> None:
    """What was given, the command, and what differs, word for word."""
    with pytest.raises(AssertionError, match=f"^{re.escape(message)}$"):
        check()


def test_a_time_needs_a_zone() -> None:
    """As those of events have one."""
    with pytest.raises(ValueError, match=r"the time has no time zone → tzinfo=timezone\.utc"):
        given().at(datetime(2026, 1, 1))  # noqa: DTZ001 - the mistake under test


def test_a_mistake_of_the_author_is_no_refusal() -> None:
    """It is raised as it is."""

    class WrongOrder(Command):
        order_id: Id[UUID]

        def handle(self, order: Order) -> Iterator[OrderPaid]:
            yield OrderNoted(order_id=ID, note="")  # type: ignore[misc] # the mistake

    with pytest.raises(DefinitionError, match="appends OrderNoted, which its annotation"):
        given(PLACED, app=orders).when(WrongOrder(order_id=ID))


def test_sentences_without_an_end_are_recorded() -> None:
    """With their lines, and only those of the block."""
    with unended_sentences() as problems:
        given(PLACED)
        given(PLACED).at(NOW).when(PAY)
        given(PLACED).at(NOW).when(PAY).then(PAID)
        assert given(PLACED).when(PAY).events

    with unended_sentences() as of_another_block:
        given(PLACED)
    lines = [problem.partition(": ")[2] for problem in problems]
    assert lines == [
        "given(...) has no when(...): it checks nothing",
        "given(...).when(...) has no then(...): it checks nothing",
    ]
    assert len(of_another_block) == 1
    assert re.fullmatch(r"test_deciding\.py:\d+: .*", problems[0])
