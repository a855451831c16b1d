from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import model_validator

from core import Event, projection
from core.ids import derived_event_id
from core.model.documents import DerivedEventEncoder, Envelope, to_document
from core.model.registry import ProjectionModule
from core.quotas import MAX_ITEM_BYTES
from tests.apps.follows.followship import followers
from tests.support import TIME, derived, followed, stream

EXAMPLE = ProjectionModule(name="followship", projections=(followers,))


class Asked(Event, entity="oracle"):
    wish: str

    @property
    def entity_id(self) -> str:
        return "1"


class Told(Event, entity="answer"):
    to: str
    text: str = ""
    number: float = 0.0

    @property
    def entity_id(self) -> str:
        return self.to


class Undeclared(Told, entity="answer"):
    pass


WISHES: dict[str, list[Any]] = {
    "undeclared": [Undeclared(to="a")],  # a subclass is not the declared type
    "no event": ["text"],
    "no id": [Told(to="a/b")],
    "unstorable": [Told.model_construct(to="a", text=object())],  # type: ignore[arg-type] # the case
    "no number": [Told(to="a", number=float("nan"))],
    "half a character": [Told.model_construct(to="a", text="\ud800")],
    "large": [Told(to="a", text="x" * MAX_ITEM_BYTES)],
    "many": [Told(to=to) for to in ("a", "a", "b", "a")],
}


@projection(name="oracle.answers")
def answers(event: Asked) -> Iterator[Told]:
    """Does what it is asked to, wrong things included."""
    yield Told(to="first")
    if event.wish == "raise":
        raise ValueError("SECRET")
    yield from WISHES.get(event.wish, ())


@projection(name="oracle.echo")
def echo(event: Asked) -> Iterator[Told]:
    yield Told(to="echo")


ORACLE = ProjectionModule(name="oracle", projections=(answers, echo))


def asked(wish: str, **changes: Any) -> dict[str, Any]:
    return {
        "id": "q1",
        "streamId": "oracle-1",
        "type": "Asked",
        "version": 1,
        "time": TIME,
        "data": {"wish": wish},
        "meta": {"correlationId": "c", "hops": 3},
        **changes,
    }


def test_a_derived_event_follows_from_its_source_alone() -> None:
    """Id, time and metadata are the same on every run."""
    (write,), poison = derived(EXAMPLE, followed(1, 2))

    assert poison == []
    assert write.stream_id == stream(2)
    content = json.loads(write.body)
    assert content["time"] == TIME
    assert content["meta"] == {
        "correlationId": "c",
        "causationId": "1-2",
        "streamId": stream(1),
        "projection": "followship.followers",
        "hops": 1,
    }
    assert write.id == derived_event_id(
        projection="followship.followers",
        source_stream=stream(1),
        source_id="1-2",
        event_type="WasFollowed",
        stream=stream(2),
        ordinal=0,
    )
    (again,), _ = derived(EXAMPLE, followed(1, 2))
    assert again == write


def test_ordinals_count_by_type_and_stream() -> None:
    """Unrelated output may come and go without moving an id."""
    writes, _ = derived(ORACLE, asked("many"))

    by_stream: dict[str, list[str]] = {}
    for write in writes:
        by_stream.setdefault(write.stream_id, []).append(write.id)

    expected = [
        derived_event_id(
            projection="oracle.answers",
            source_stream="oracle-1",
            source_id="q1",
            event_type="Told",
            stream="answer-a",
            ordinal=ordinal,
        )
        for ordinal in range(3)
    ]
    assert by_stream["answer-a"] == expected
    assert len(by_stream["answer-b"]) == 1


@pytest.mark.parametrize(
    ("wish", "error", "reason"),
    [
        ("raise", "ProjectionFailedError", "raised ValueError"),
        ("undeclared", "InvalidOutputError", "emitted Undeclared"),
        ("no event", "InvalidOutputError", "emitted str"),
        ("no id", "InvalidOutputError", "without a usable entity_id"),
        ("unstorable", "InvalidOutputError", "fields that cannot be stored"),
        ("no number", "InvalidOutputError", "fields that cannot be stored"),
        ("half a character", "InvalidOutputError", "fields that cannot be stored"),
        ("large", "InvalidOutputError", "bytes"),
    ],
)
def test_of_a_failing_projection_nothing_is_written(wish: str, error: str, reason: str) -> None:
    """Its event is parked; other projections of the same event go on."""
    writes, (poison,) = derived(ORACLE, asked(wish))

    assert [write.stream_id for write in writes] == ["answer-echo"]
    assert (poison.module, poison.cause.projection) == ("oracle", "oracle.answers")
    assert (poison.cause.stream_id, poison.cause.event_id) == ("oracle-1", "q1")
    assert poison.failure.error_type == error
    assert reason in poison.failure.reason
    assert "SECRET" not in poison.failure.reason


def test_what_raised_is_kept_with_its_traceback() -> None:
    """For the person on call."""
    _, (poison,) = derived(ORACLE, asked("raise"))

    assert 'raise ValueError("SECRET")' in poison.failure.traceback


@pytest.mark.parametrize(
    "document",
    [
        pytest.param({"id": "x"}, id="nothing but an id"),
        pytest.param({"id": "x", "type": 5}, id="type is no text"),
        pytest.param(asked("x", data={"wish": 1}), id="data does not fit"),
        pytest.param(asked("x", time=None), id="no time"),
    ],
)
def test_an_unreadable_event_is_parked_for_the_module(document: dict[str, Any]) -> None:
    """Everything around it is projected."""
    writes, (poison,) = derived(ORACLE, asked("x", id="q0"), document, asked("x", id="q2"))

    assert len(writes) == 4
    assert (poison.cause.projection, poison.cause.event_id) == (None, document["id"])


class Renamed(Asked, entity="oracle"):
    @model_validator(mode="before")
    @classmethod
    def rename(cls, data: dict[str, Any]) -> dict[str, Any]:
        return {"wish": data["desire"]}


class Nameless(Asked, entity="oracle"):
    @property
    def entity_id(self) -> str:
        return {"SECRET": "1"}[self.wish]


@projection(name="reader.renamed")
def renamed(event: Renamed) -> Iterator[Told]:
    yield Told(to=event.wish)


@projection(name="reader.nameless")
def nameless(event: Nameless) -> Iterator[Told]:
    yield Told(to=event.wish)


@pytest.mark.parametrize("kind", ["Renamed", "Nameless"])
def test_an_event_whose_own_code_fails_is_parked(kind: str) -> None:
    """Whatever a validator or a property raises; else its lease would never go on."""
    reader = ProjectionModule(name="reader", projections=(renamed, nameless))

    _, (poison,) = derived(reader, asked("x", type=kind))

    assert (poison.failure.error_type, poison.cause.projection) == ("InvalidEventError", None)
    assert poison.failure.reason == f"{kind} raised KeyError while its data was validated."


def test_other_event_types_are_passed_over_unread() -> None:
    """A module sees every event of the container and takes its own."""
    foreign = {"id": "x", "type": "SomethingElse", "data": "whatever"}

    assert derived(ORACLE, foreign, followed(1, 2)) == ([], [])


def test_an_event_too_many_projections_away_is_parked() -> None:
    """Whatever leads in a circle ends."""
    document = asked("x", meta={"hops": 16})

    writes, poison = derived(ORACLE, document)

    assert writes == []
    assert {poison_event.failure.error_type for poison_event in poison} == {"HopLimitError"}


def test_text_is_stored_as_it_is() -> None:
    """In UTF-8, in every field."""
    (write, *_), _ = derived(ORACLE, asked("say", meta={"correlationId": 'ü"\\'}))

    content = json.loads(write.body)

    assert content["meta"]["correlationId"] == 'ü"\\'
    assert "ü".encode() in write.body


def test_the_text_is_that_of_the_document() -> None:
    """As a command's event would be stored."""
    event = Told(to="a", text='ü"\\\n NaN Infinity', number=0.5)
    source = Envelope.from_document(asked("any"))
    meta = {
        "correlationId": "c",
        "causationId": "q1",
        "streamId": "oracle-1",
        "projection": "p",
        "hops": 4,
    }
    encoder = DerivedEventEncoder(source, "p")

    data = event.model_dump_json()
    first, second = (
        json.loads(encoder.encode(event, data, event_id="e", stream="answer-a", index=index))
        for index in range(2)
    )

    assert first == {"id": "e", "time": TIME, **to_document(event, "c"), "meta": meta}
    assert second == {**first, "meta": {**first["meta"], "index": 1}}


def test_an_index_counts_everything_that_a_projection_emits() -> None:
    """Whatever its type and stream; so a stream holds what follows from one source in order."""
    writes, _ = derived(ORACLE, asked("many"))

    metas = [json.loads(write.body)["meta"] for write in writes]

    by_projection = [
        [meta.get("index", 0) for meta in metas if meta["projection"] == name]
        for name in ("oracle.answers", "oracle.echo")
    ]
    assert by_projection == [list(range(len(writes) - 1)), [0]]
