from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timezone
from uuid import uuid4

import pytest
from pydantic import Field

from core import Command, Event
from core.errors import DefinitionError, InvalidRequestError, Refused
from core.model.commands import parse_command
from core.streams.commands import build_documents
from tests.apps.follows.followship import Follow
from tests.support import Document, stream, user

NOW = datetime(2026, 1, 1, tzinfo=timezone.utc)


class Noted(Event, entity="note"):
    name: str
    number: int = 0

    @property
    def entity_id(self) -> str:
        return self.name


class Note(Command):
    name: str
    count: int = 1
    names: tuple[str, ...] = ()

    def handle(self) -> Iterator[Noted]:
        for number in range(self.count):
            yield Noted(name=self.name, number=number)
        for name in self.names:
            yield Noted(name=name)


def append(command: Command, key: str | None = None) -> list[Document]:
    return build_documents(command, key=key, new_id=uuid4, now=NOW, traceparent=None)


def test_without_a_key_every_request_is_new() -> None:
    """Ids are random then."""
    command = Follow(user_id=user(1), to_follow=user(2))

    first, second = (append(command)[0]["id"] for _ in range(2))

    assert first != second


def test_with_a_key_a_repeated_request_has_the_same_ids() -> None:
    """A client may repeat a request whose reply it never saw."""
    command = Follow(user_id=user(1), to_follow=user(2))

    first, second = (append(command, key="k")[0] for _ in range(2))

    assert first == second
    assert first["streamId"] == stream(1)
    assert first["meta"]["hops"] == 0


def test_events_of_one_command_keep_their_order_in_time() -> None:
    """Each is a microsecond later than the one before."""
    times = [document["time"] for document in append(Note(name="a", count=3))]

    assert times == sorted(set(times))


class Short(Event, entity="note"):
    text: str = Field(max_length=5)

    @property
    def entity_id(self) -> str:
        return "1"


class Write(Command):
    text: str
    weight: float = 0.0

    def handle(self) -> Iterator[Short]:
        yield Short(text=self.text)


def test_what_an_event_does_not_take_is_the_requests_fault() -> None:
    """The field is named, its value is not quoted."""
    with pytest.raises(InvalidRequestError) as caught:
        append(Write(text="SECRET"))

    assert [error.field for error in caught.value.errors] == ["text"]
    assert "SECRET" not in f"{caught.value}{caught.value.errors}"


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
def test_numbers_that_json_does_not_have_are_rejected(number: str) -> None:
    """Cosmos DB would."""
    with pytest.raises(InvalidRequestError) as caught:
        parse_command(Write, f'{{"text": "a", "weight": {number}}}'.encode())

    assert [error.field for error in caught.value.errors] == ["weight"]


def test_a_command_may_append_nothing() -> None:
    """Then there is nothing to store."""
    assert append(Note(name="a", count=0)) == []


@pytest.mark.parametrize(
    ("command", "message"),
    [
        pytest.param(Note(name="a", names=("b",)), "appends to 2 streams", id="two streams"),
        pytest.param(Note(name="a", count=101), "appends 101 events", id="too many events"),
    ],
)
def test_what_cannot_be_appended_as_a_whole_is_rejected(command: Command, message: str) -> None:
    """The error says what to do instead."""
    with pytest.raises(DefinitionError, match=message):
        append(command)


def test_an_unusable_entity_id_is_the_callers_mistake() -> None:
    """It could reach another stream."""
    with pytest.raises(InvalidRequestError, match="an id of entity"):
        append(Note(name="a/b"))


def test_nobody_can_follow_themselves() -> None:
    """The example's rule names the field at fault."""
    with pytest.raises(Refused) as caught:
        append(Follow(user_id=user(1), to_follow=user(1)))

    assert caught.value.errors[0].field == "to_follow"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        pytest.param(b'{"name": 5}', "name", id="wrong type"),
        pytest.param(b'{"name": "a", "count": "3"}', "count", id="number as text"),
        pytest.param(b"{}", "name", id="missing field"),
        pytest.param(b'{"name": "a", "more": 1}', "more", id="extra field"),
        pytest.param(b'{"name": "' + b"x" * 65_537 + b'"}', "name", id="text too long"),
        pytest.param(b'{"name": "a"', "", id="no JSON"),
        pytest.param(b"[]", "", id="no object"),
        pytest.param(b"[" * 100_000, "", id="nested too deep"),
        pytest.param(b"\xff", "", id="no UTF-8"),
        pytest.param(b"", "", id="empty"),
    ],
)
def test_a_body_that_does_not_fit_is_rejected_by_field(body: bytes, field: str) -> None:
    """Nothing is guessed and nothing is dropped."""
    with pytest.raises(InvalidRequestError) as caught:
        parse_command(Note, body)

    assert [error.field for error in caught.value.errors] == [field]
