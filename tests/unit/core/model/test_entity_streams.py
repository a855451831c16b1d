from __future__ import annotations

from uuid import UUID

import pytest

from core import Event, Id
from core.model.documents import stream_of
from core.model.entity_streams import entity_stream

USER = UUID("ABCDEF12-3456-4789-8ABC-DEF123456789")


class Marked(Event, entity="user"):
    user_id: Id[UUID]


class Named(Event, entity="user"):
    name: str
    user_id: UUID

    @property
    def entity_id(self) -> UUID:
        return self.user_id


class Numbered(Event, entity="page"):
    number: Id[int]


class Free(Event, entity="word"):
    text: Id[str]


class Other(Event, entity="mixed"):
    number: Id[int]


class Another(Event, entity="mixed"):
    text: Id[str]


class Plain(Event, entity="plain"):
    text: str

    @property
    def entity_id(self):  # type: ignore[no-untyped-def] # the test's case # noqa: ANN201
        return self.text


EVENTS = (Marked, Named, Numbered, Free, Other, Another, Plain)


@pytest.mark.parametrize("text", [str(USER), str(USER).upper(), USER.hex, f"urn:uuid:{USER}"])
def test_every_spelling_of_an_id_names_one_stream(text: str) -> None:
    """That which its events are stored in."""
    assert entity_stream("user", text, EVENTS) == stream_of(Marked(user_id=USER))
    assert entity_stream("user", text, EVENTS) == stream_of(Named(name="n", user_id=USER))


@pytest.mark.parametrize(
    ("entity", "text", "stream"),
    [
        pytest.param("page", "007", "page-7", id="a number"),
        pytest.param("word", "ABC", "word-ABC", id="a text, as it is"),
        pytest.param("mixed", "007", "mixed-007", id="ids of several types, as it is"),
        pytest.param("plain", "ABC", "plain-ABC", id="not annotated, as it is"),
        pytest.param("none", "ABC", "none-ABC", id="no events, as it is"),
    ],
)
def test_the_type_of_the_id_decides(entity: str, text: str, stream: str) -> None:
    """Only what the type takes for the same is the same."""
    assert entity_stream(entity, text, EVENTS) == stream


@pytest.mark.parametrize(("entity", "text"), [("user", "x"), ("page", "x"), ("word", "a/b")])
def test_what_cannot_be_an_id_names_no_stream(entity: str, text: str) -> None:
    """No event of the entity can be there."""
    with pytest.raises(ValueError, match=r"."):
        entity_stream(entity, text, EVENTS)
