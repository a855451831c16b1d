"""Documents that no event is, or that nobody expects: derived exactly or parked once."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from azure.cosmos.aio import DatabaseProxy
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core import Event, projection
from core.application import Application
from core.model.registry import ProjectionModule, Registry
from tests.support import TIME, Document

HALF = "\ud800"
"""Half of a surrogate pair, which JSON can hold and UTF-8 cannot."""

LARGE = "x" * 2_000_000


class Noted(Event, entity="note"):
    key: str = "a"
    value: Any = None
    to: str = "a"

    @property
    def entity_id(self) -> str:
        return self.key


class Copied(Event, entity="copy"):
    value: Any
    to: str

    @property
    def entity_id(self) -> str:
        return self.to


@projection(name="notes.copy")
def copy(event: Noted) -> Iterator[Copied]:
    yield Copied(value=event.value, to=event.to)


def noted(**change: Any) -> Document:
    """The document of an event."""
    return {
        "id": "n1",
        "streamId": "note-a",
        "type": "Noted",
        "version": 1,
        "time": TIME,
        "data": {},
        "meta": {"correlationId": "c", "hops": 0},
        **change,
    }


@pytest.fixture
def replica_lag() -> float:
    """No lag: what is read here was written by the same process."""
    return 0.0


@pytest.fixture
async def application(
    environ: dict[str, str], database: DatabaseProxy
) -> AsyncIterator[Application]:
    del database
    opened = Application(
        Registry(
            modules={"notes": ProjectionModule(name="notes", projections=(copy,))},
            events={"Noted": Noted, "Copied": Copied},
            commands={},
            entities={},
        ),
        environ,
    )
    yield opened
    await opened.close()


async def stored(database: DatabaseProxy, container: str) -> list[Document]:
    """All documents of a container."""
    return [item async for item in database.get_container_client(container).read_all_items()]


DERIVED = {
    "an id with characters of URLs": noted(id="a/b\\c?d#e"),
    "an id with spaces and controls": noted(id=" a\x00\n "),
    "an id of 1,023 characters of four bytes": noted(id="😀" * 1023),
    "control characters": noted(data={"value": "\x00\x01\x1f\x7f\u2028\ufeff"}),
    "a field name of control characters": noted(data={"value": {"\x00": 1, "": 2}}),
    "the first and last time": noted(time="9999-12-31T23:59:59.9999999Z"),
    "a time in another zone": noted(time="2026-01-02T05:04:05.00006+02:00"),
    "half a character in an unknown property": noted(other=HALF),
    "half a character in the trace": noted(meta={"traceparent": HALF}),
}
PARKED = {
    "no property": {"type": "Noted"},
    "half a character in the id": noted(id=HALF),
    "half a character in the stream": noted(streamId=f"note-{HALF}"),
    "half a character in the time": noted(time=HALF),
    "half a character in the correlation id": noted(meta={"correlationId": HALF}),
    "half a character in the data": noted(data={"value": HALF}),
    "half a character deep in the data": noted(data={"value": [{"a": [HALF]}]}),
    "half a character in a field name": noted(data={"value": {HALF: 1}}),
    "half a character in an unknown field": noted(data={HALF: 1}),
    "half a character in the target": noted(data={"to": HALF}),
    "half a character in an id that is no text": noted(id={"a": [HALF]}),
    "a target with a slash": noted(data={"to": "a/b"}),
    "a target that ends in a space": noted(data={"to": "a "}),
    "a target with a control character": noted(data={"to": "a\x00"}),
    "a target of 300 characters": noted(data={"to": "a" * 300}),
    "an empty target": noted(data={"to": ""}),
    "a large id": noted(id=LARGE),
    "a large stream": noted(streamId=LARGE),
    "a large time": noted(time="2" * 2_000_000),
    "a large correlation id": noted(meta={"correlationId": LARGE}),
    "large data": noted(data={"value": "x" * 2_090_000}),
    "many wrong fields": noted(data={f"f{number}": 1 for number in range(10_000)}),
    "a day that does not exist": noted(time="2026-99-99T00:00:00Z"),
    "a second that does not exist": noted(time="2026-01-02T03:04:60Z"),
    "a time in digits of another script": noted(time="\uff12026-01-02T03:04:05Z"),
    "a number that JSON does not have": noted(data={"value": json.loads("1e400")}),
    "an integer of 400 digits": noted(data={"value": 10**400}),
    "a huge version": noted(version=10**30),
    "huge hops": noted(meta={"hops": 10**30}),
    "an infinite number of hops": noted(meta={"hops": json.loads("1e400")}),
    "no data": noted(data=None),
    "no meta": noted(meta=None),
    "a type that is no text": noted(type=[HALF]),
    "data of 900 levels": noted(data={"value": json.loads("[" * 900 + "]" * 900)}),
}


@pytest.mark.parametrize("name", DERIVED)
async def test_odd_events_are_projected(
    application: Application, database: DatabaseProxy, name: str
) -> None:
    """What is derived has the same data, and the time in its one form."""
    document = DERIVED[name]

    await application.project("notes", [noted(id="n2", data={"to": "other"}), document])

    events = {event["streamId"]: event for event in await stored(database, "events")}
    assert events.keys() == {"copy-other", "copy-a"}
    assert events["copy-a"]["data"]["value"] == document["data"].get("value")
    assert events["copy-a"]["time"].endswith("0Z")
    assert await stored(database, "deadletters") == []


@pytest.mark.parametrize("name", PARKED)
async def test_what_no_attempt_can_project_is_parked_once(
    application: Application, database: DatabaseProxy, name: str
) -> None:
    """With a reason, in a dead letter of bounded size; the event after it is projected."""
    for _ in range(2):
        await application.project("notes", [PARKED[name], noted(id="n2")])

    (letter,) = await stored(database, "deadletters")
    assert letter["reason"]
    assert len(json.dumps(letter, ensure_ascii=False).encode()) <= 32 * 1024
    assert len(await stored(database, "events")) == 1


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False),
    st.sampled_from(
        [HALF, TIME, "2026-99-99T00:00:00Z", "2026-01-01T24:00:00Z", "n1", "note-a", ""]
    ),
    st.text(st.characters(exclude_categories=())),
    st.text(st.characters(exclude_categories=()), min_size=1).map(lambda text: text * 20_000),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters()), inner),
    max_leaves=6,
)
CHANGES = st.dictionaries(
    st.sampled_from(["id", "streamId", "type", "version", "time", "data", "meta", "_lsn", "other"]),
    VALUES | st.fixed_dictionaries({}, optional={"value": VALUES, "to": VALUES, "hops": VALUES}),
    max_size=3,
)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(changes=st.lists(CHANGES, min_size=1, max_size=4))
async def test_no_document_stops_the_others(
    application: Application, database: DatabaseProxy, changes: list[Document]
) -> None:
    """Each is derived, parked, or of another type; a second time changes nothing."""
    batch = [noted(**{"id": f"n{number}", **change}) for number, change in enumerate(changes)]

    await application.project("notes", [*batch, noted(id="last")])
    first = [await stored(database, name) for name in ("events", "deadletters")]
    result = await application.project("notes", [*batch, noted(id="last")])

    foreign = [one for one in batch if isinstance(one["type"], str) and one["type"] != "Noted"]
    assert result.derived + result.parked + len(foreign) == len(batch) + 1
    for before, name in zip(first, ("events", "deadletters"), strict=True):
        assert [one["id"] for one in await stored(database, name)] == [one["id"] for one in before]
