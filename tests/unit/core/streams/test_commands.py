from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timezone

import pytest
from pydantic import Field

from core import Command, Event
from core.errors import DefinitionError, InvalidRequestError, Refused, RequestTooLargeError
from core.model.commands import parse_command
from core.streams.appends import Append
from core.streams.commands import Execution, build_append
from core.streams.keys import IdempotencyKey
from tests.apps.follows.followship import Follow
from tests.support import FakeTime, stream, user

KEY = IdempotencyKey("k1", "1:f")
NOW = datetime(2026, 1, 2, tzinfo=timezone.utc)


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


def append(command: Command, key: IdempotencyKey | None = None) -> Append | None:
    return build_append(execution(command, key), NOW)


def execution(command: Command, key: IdempotencyKey | None = None) -> Execution:
    return Execution(
        command=command,
        key=key,
        correlation_id="c",
        token="t",
        deadline=FakeTime().deadline(),
        traceparent=None,
    )


def test_a_command_becomes_an_append_to_its_stream() -> None:
    """The events are as the command yields them; position and time come later."""
    appended = append(Note(name="a", count=2), KEY)

    assert appended is not None
    assert (appended.stream_id, appended.key, appended.token) == ("note-a", KEY, "t")
    assert appended.events == [
        {
            "streamId": "note-a",
            "type": "Noted",
            "version": 1,
            "data": {"name": "a", "number": number},
            "meta": {"correlationId": "c", "hops": 0},
        }
        for number in range(2)
    ]


def test_the_example_appends_to_the_stream_of_the_follower() -> None:
    """The other user's stream is for a projection."""
    appended = append(Follow(user_id=user(1), to_follow=user(2)))

    assert appended is not None
    assert appended.stream_id == stream(1)


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
def test_numbers_that_json_does_not_have_are_refused(number: str) -> None:
    """Cosmos DB would."""
    with pytest.raises(InvalidRequestError) as caught:
        parse_command(Write, f'{{"text": "a", "weight": {number}}}'.encode())

    assert [error.field for error in caught.value.errors] == ["weight"]


def test_a_command_may_append_nothing() -> None:
    """Then there is nothing to store."""
    assert append(Note(name="a", count=0)) is None


@pytest.mark.parametrize(
    ("command", "key", "message"),
    [
        pytest.param(Note(name="a", names=("b",)), None, "appends to 2 streams", id="two streams"),
        pytest.param(Note(name="a", count=101), None, "appends 101 events", id="too many"),
        pytest.param(Note(name="a", count=100), KEY, "appends 100 events", id="and a key"),
    ],
)
def test_what_cannot_be_appended_as_a_whole_is_refused(
    command: Command, key: IdempotencyKey | None, message: str
) -> None:
    """The error says what to do instead."""
    with pytest.raises(DefinitionError, match=message):
        append(command, key)


@pytest.mark.parametrize(("count", "key"), [(100, None), (99, KEY)])
def test_a_hundred_operations_are_one_append(count: int, key: IdempotencyKey | None) -> None:
    """A key takes one of them."""
    appended = append(Note(name="a", count=count), key)

    assert appended is not None
    assert appended.operations == 100


class Written(Event, entity="note"):
    text: str

    @property
    def entity_id(self) -> str:
        return "1"


class Repeat(Command):
    text: str = Field(max_length=1_000_000)
    count: int

    def handle(self) -> Iterator[Written]:
        for _ in range(self.count):
            yield Written(text=self.text)


def test_events_that_no_request_takes_are_refused_before_they_are_sent() -> None:
    """Cosmos DB takes 2 MB."""
    assert append(Repeat(text="x" * 1_000_000, count=2)) is not None
    with pytest.raises(RequestTooLargeError, match="command 'repeat' have 3001"):
        append(Repeat(text="x" * 1_000_000, count=3))


def test_an_unusable_entity_id_is_the_callers_mistake() -> None:
    """It could reach another stream."""
    with pytest.raises(InvalidRequestError, match="an id of entity"):
        append(Note(name="a/b"))


def test_nobody_can_follow_themselves() -> None:
    """The example's rule names the field at fault."""
    with pytest.raises(Refused) as caught:
        append(Follow(user_id=user(1), to_follow=user(1)))

    assert [error.field for error in caught.value.errors] == ["to_follow"]


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
def test_a_body_that_does_not_fit_is_refused_by_field(body: bytes, field: str) -> None:
    """Nothing is guessed and nothing is dropped."""
    with pytest.raises(InvalidRequestError) as caught:
        parse_command(Note, body)

    assert [error.field for error in caught.value.errors] == [field]
