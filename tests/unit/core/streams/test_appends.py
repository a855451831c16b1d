from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pytest

from core.errors import EngineError, IdempotencyKeyReusedError, Refused, ReservedIdError
from core.streams.appends import Append, Head, count_fitting, create_documents, head_at
from core.streams.keys import Appended, IdempotencyKey, key_document, recorded_answer
from tests.support import FakeTime

NOW = datetime(2026, 1, 1, tzinfo=timezone.utc)
EARLY, NOON = "2025-01-01T00:00:00.000000Z", "2026-01-01T12:00:00.000000Z"
LATER = "2026-01-01T12:00:00.000010Z"
KEYS = [IdempotencyKey(f"k{number}", f"1:{number}") for number in range(3)]
CLOCK = FakeTime()


def append(events: int = 1, data: str = "", **changes: Any) -> Append:
    event = {"streamId": "s", "type": "T", "version": 1, "data": {"x": data}, "meta": {"hops": 0}}
    given: dict[str, Any] = {"token": "t", **changes}
    return Append(stream_id="s", events=[event] * events, deadline=CLOCK.deadline(), **given)


def test_positions_follow_the_head() -> None:
    """Over all appends of a request, and the ids follow from them."""
    created = create_documents([append(2), append(token="u")], Head(7, EARLY), NOW)

    assert [document["position"] for document in created.documents] == [8, 9, 10]
    assert [document["id"] for document in created.documents] == [
        "n000000000008",
        "n000000000009",
        "n000000000010",
    ]
    assert [document["meta"] for document in created.documents] == [
        {"hops": 0, "token": token} for token in "ttu"
    ]
    assert created.answers == [Appended(9, 2), Appended(10, 1)]
    assert created.head == Head(10, created.documents[-1]["time"])
    assert [answer.event_ids for answer in created.answers] == [
        ["n000000000008", "n000000000009"],
        ["n000000000010"],
    ]


@pytest.mark.parametrize(
    ("head", "time", "expected"),
    [
        pytest.param(Head(0, ""), "", "2026-01-01T00:00:00.0000{}0Z", id="by the clock"),
        pytest.param(Head(3, EARLY), "", "2026-01-01T00:00:00.0000{}0Z", id="the head is older"),
        pytest.param(Head(3, NOON), "", "2026-01-01T12:00:00.0000{}0Z", id="the head is ahead"),
        pytest.param(Head(3, EARLY), LATER, "2026-01-01T12:00:00.0000{}0Z", id="it is given"),
    ],
)
def test_times_grow_whatever_the_clock_says(head: Head, time: str, expected: str) -> None:
    """By steps of 10 µs, later than the head and than everything that was folded."""
    created = create_documents([append(2, time=time), append()], head, NOW)

    first = 0 if expected.startswith("2026-01-01T00") else 1
    times = [document["time"] for document in created.documents]
    assert times == [expected.format(number) for number in range(first, first + 3)]


def test_a_key_comes_before_its_events() -> None:
    """So a repetition meets it first, and learns what was done."""
    created = create_documents([append(), append(2, key=KEYS[0])], Head(0, ""), NOW)

    types = [document["type"] for document in created.documents]
    assert types == ["T", "$key", "T", "T"]
    assert created.owners == [0, 1, 1, 1]
    key = created.documents[1]
    assert key == {
        "id": "k0",
        "streamId": "s",
        "type": "$key",
        "version": 1,
        "time": created.head.time,
        "data": {"request": "1:0", "status": "ok", "position": 3, "count": 2},
        "meta": {"token": "t"},
        "ttl": 2_592_000,
    }
    assert recorded_answer(KEYS[0], key) == created.answers[1]


@pytest.mark.parametrize(
    ("appends", "expected"),
    [
        pytest.param([append()] * 3, 3, id="all"),
        pytest.param([append(40)] * 3, 2, id="100 operations"),
        pytest.param([append(50), append(50, key=KEYS[0])], 1, id="a key is an operation"),
        pytest.param([append(data="x" * 600_000)] * 5, 3, id="2 MB"),
        pytest.param([append(data="x" * 3_000_000)], 1, id="at least one"),
        pytest.param([append(), append(expected=Head(0, "")), append()], 1, id="not before it"),
        pytest.param([append(expected=Head(0, "")), append()], 1, id="nor behind it"),
        pytest.param([append(key=key) for key in KEYS], 3, id="different keys"),
        pytest.param([append(key=KEYS[0]), append(), append(key=KEYS[0])], 2, id="the same key"),
    ],
)
def test_a_request_takes_what_fits(appends: list[Append], expected: int) -> None:
    """In the order of the queue."""
    assert count_fitting(appends) == expected


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param({}, Refused("sold out", field="seat"), id="the same request"),
        pytest.param(
            {"data": {"request": "1:other"}}, IdempotencyKeyReusedError(), id="another request"
        ),
        pytest.param({"type": "Order"}, ReservedIdError(), id="another program's"),
        pytest.param({"data": "x"}, ReservedIdError(), id="not readable"),
    ],
)
def test_a_repetition_gets_the_answer_that_was_recorded(
    changes: dict[str, Any], expected: EngineError
) -> None:
    """Also if the command was refused."""
    refused = Refused("sold out", field="seat")
    document = key_document(KEYS[0], "s", "t", EARLY, refused)

    answer = recorded_answer(KEYS[0], {**document, **changes})

    assert type(answer) is type(expected)
    if isinstance(expected, Refused):
        assert (str(answer), getattr(answer, "errors", None)) == (str(expected), expected.errors)


@pytest.mark.parametrize(
    "document",
    [{"id": "n5", "time": EARLY}, {"id": "n000000000005", "time": "soon"}, {"id": "n000000000005"}],
)
def test_a_head_of_another_program_is_an_error_that_names_it(document: dict[str, Any]) -> None:
    """Nothing can be appended behind it."""
    with pytest.raises(ReservedIdError, match=document["id"]):
        head_at(document)
