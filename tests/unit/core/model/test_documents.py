from __future__ import annotations

from typing import Any

import pytest

from core.errors import InvalidEventError
from core.model.documents import Envelope, parse_event, to_document
from tests.apps.follows.followship import Followed, WasFollowed
from tests.support import TIME, followed, stream, user


@pytest.mark.parametrize(
    ("change", "field"),
    [
        pytest.param({"id": None}, "id", id="no id"),
        pytest.param({"id": ""}, "id", id="empty id"),
        pytest.param({"streamId": 5}, "streamId", id="stream is no text"),
        pytest.param({"type": ["Followed"]}, "type", id="type is no text"),
        pytest.param({"version": 0}, "version", id="version too small"),
        pytest.param({"version": "1"}, "version", id="version is text"),
        pytest.param({"time": "yesterday"}, "time", id="no time"),
        pytest.param({"time": "2026-01-01T00:00:00"}, "time", id="time without a zone"),
        pytest.param({"time": "2026-99-99T00:00:00Z"}, "time", id="impossible time"),
        pytest.param({"data": "payload"}, "data", id="data is no object"),
        pytest.param({"meta": {"hops": -1}}, "hops", id="negative hops"),
    ],
)
def test_a_document_that_is_no_event_is_rejected_by_field(
    change: dict[str, Any], field: str
) -> None:
    """The error names the field."""
    with pytest.raises(InvalidEventError, match=field):
        Envelope.from_document(followed(1, 2, **change))


def test_the_time_of_an_event_is_in_one_form() -> None:
    """The trigger may have cut its zeros off, or have moved it to another zone."""
    document = followed(1, 2, time="2026-01-01T01:00:00+01:00")

    assert Envelope.from_document(document).time == "2026-01-01T00:00:00.000000Z"


def test_foreign_properties_do_not_matter() -> None:
    """The service adds its own, and other writers may add theirs."""
    envelope = Envelope.from_document(followed(1, 2, _ts=1, _lsn=7, more={"x": 1}))

    assert envelope.stream_id == stream(1)


def test_meta_may_be_missing() -> None:
    """An event that another program wrote counts as the first of its kind."""
    raw = followed(1, 2)
    del raw["meta"]

    assert Envelope.from_document(raw).meta.hops == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param({"data": {"user_id": "x"}}, "to_follow: Field required", id="missing field"),
        pytest.param(
            {"data": {**followed(1, 2)["data"], "age": 3}}, "age: Extra inputs", id="extra field"
        ),
        pytest.param({"version": 2}, "has version 2; this code has 1", id="from the future"),
        pytest.param({"streamId": stream(9)}, "stream of another entity", id="astray"),
    ],
)
def test_data_that_no_longer_fits_is_rejected(change: dict[str, Any], message: str) -> None:
    """The error says what does not fit."""
    envelope = Envelope.from_document(followed(1, 2, **change))

    with pytest.raises(InvalidEventError, match=message):
        parse_event(envelope, Followed)


def test_an_error_never_quotes_the_data() -> None:
    """What an event holds is nobody's business in an error."""
    envelope = Envelope.from_document(
        followed(1, 2, data={"user_id": "SECRET", "to_follow": "SECRET"})
    )

    with pytest.raises(InvalidEventError) as caught:
        parse_event(envelope, Followed)

    assert "SECRET" not in str(caught.value)


def test_an_error_names_a_few_fields() -> None:
    """However many there are."""
    envelope = Envelope.from_document(followed(1, 2, data={f"f{n}": 1 for n in range(10_000)}))

    with pytest.raises(InvalidEventError, match="and 9982 more") as caught:
        parse_event(envelope, Followed)

    assert len(str(caught.value)) < 2_000


def test_the_document_of_an_event_is_frozen() -> None:
    """The layout is stored for ever."""
    event = WasFollowed(user_id=user(2), follower=user(1))

    assert to_document(event, "c", "t") == {
        "streamId": "followship-00000000-0000-4000-8000-000000000002",
        "type": "WasFollowed",
        "version": 1,
        "data": {
            "user_id": "00000000-0000-4000-8000-000000000002",
            "follower": "00000000-0000-4000-8000-000000000001",
        },
        "meta": {"correlationId": "c", "hops": 0, "traceparent": "t"},
    }


def test_a_document_reads_back_as_its_event() -> None:
    """Writing and reading are each other's reverse."""
    event = Followed(user_id=user(1), to_follow=user(2))
    stored = {"id": "e", "time": TIME, **to_document(event, "c")}

    assert parse_event(Envelope.from_document(stored), Followed) == event
