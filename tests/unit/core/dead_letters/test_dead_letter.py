from __future__ import annotations

import hashlib
import json
from datetime import datetime, timezone
from typing import Any

import pytest

from core.dead_letters.dead_letter import DeadLetter, DeadLetterSummary
from core.dead_letters.poison import ProjectionFailure
from tests.unit.core.dead_letters.poison_events import FAILURE, poison_event

NOW = datetime(2026, 1, 1, tzinfo=timezone.utc)
LATER = datetime(2026, 1, 2, tzinfo=timezone.utc)

HUGE = "\U0001f600\x00\"'\\\ud800é" * 300_000
"""Two megabytes of what takes most bytes in JSON."""

OTHER = ProjectionFailure("OtherError", "worse", "KeyError", "m.py g: raise", "there")


def letter(**options: Any) -> DeadLetter:
    return DeadLetter.from_poison_event(poison_event(**options), NOW)


def test_a_letter_reads_back_as_it_was_stored() -> None:
    """In a layout that is kept."""
    stored = letter(order="1")

    assert DeadLetter.from_document(stored.to_document()) == stored
    assert sorted(stored.to_document()) == [
        *("attempts", "cut", "discardReason", "errorType", "eventId", "exceptionType"),
        *("firstFailedAt", "group", "id", "lastFailedAt", "module", "place", "projection"),
        *("reason", "state", "streamId", "streamOrder", "traceback"),
    ]


@pytest.mark.parametrize(
    "values",
    [
        {"stream_id": HUGE, "event_id": HUGE, "order": HUGE, "projection": HUGE},
        {"stream_id": [[HUGE]], "event_id": {"a": float("nan"), HUGE: 1}},
        {"stream_id": 10**400, "event_id": float("inf")},
        {"failure": ProjectionFailure(HUGE, HUGE, HUGE, HUGE, HUGE)},
    ],
)
def test_a_letter_can_always_be_stored(values: dict[str, Any]) -> None:
    """It has less than 32 KB in UTF-8, whatever the event holds and however often it fails."""
    worst = letter(**values).fail_again(ProjectionFailure(HUGE, HUGE, HUGE, HUGE, HUGE), LATER)
    for stored in (letter(**values), worst, worst.discard(HUGE)):
        text = json.dumps(stored.to_document(), ensure_ascii=False, allow_nan=False)

        assert len(text.encode()) < 32 * 1024
        assert DeadLetter.from_document(json.loads(text)) == stored


def test_a_letter_tells_what_was_cut() -> None:
    """With the place, the size and the hash of the whole value; the end of a traceback is kept."""
    stored = letter(
        event_id="e" * 5_000,
        failure=FAILURE._replace(reason="x" * 5_000, traceback="a" * 9_000 + "b"),
    )

    assert {name: cut.bytes for name, cut in stored.cut.items()} == {
        "eventId": 5_000,
        "reason": 5_000,
        "traceback": 9_001,
    }
    assert stored.cut["eventId"].sha256 == hashlib.sha256(b"e" * 5_000).hexdigest()
    assert (stored.event_id, stored.reason) == ("e" * 1_024, "x" * 4_000)
    assert stored.traceback == "a" * 7_999 + "b"
    assert stored.fail_again(OTHER, LATER).cut.keys() == {"eventId"}


def test_the_longest_stream_id_is_not_cut() -> None:
    """A replay reads the event by it."""
    assert letter(stream_id="é" * 1_000).cut == {}


def test_another_attempt_keeps_when_it_began() -> None:
    """And counts; the group is that of the latest failure."""
    again = letter().fail_again(OTHER, LATER)

    assert (again.attempts, again.reason, again.error_type) == (2, "worse", "OtherError")
    assert again.first_failed_at < again.last_failed_at
    assert again.id == letter().id
    assert again.group == letter(failure=OTHER).group != letter().group


def test_a_letter_has_a_state() -> None:
    """A discard ends blocking and takes the traceback; nothing but a replay ends a discard."""
    blocking = letter(blocks=True)
    discarded = blocking.discard("no use")

    assert (letter().state, blocking.state, discarded.state) == ("waiting", "blocking", "discarded")
    assert blocking.stop_blocking().state == "waiting"
    assert letter().block(OTHER, LATER).state == "blocking"
    assert (discarded.discard_reason, discarded.traceback) == ("no use", "")
    assert discarded.block(OTHER, LATER) == discarded.fail_again(OTHER, LATER) == discarded
    assert discarded.stop_blocking() == discarded


def test_letters_of_one_failure_are_a_group() -> None:
    """Of one projection, error and line, whatever the event."""
    groups = {
        letter(event_id="x").group,
        letter(event_id="y").group,
        letter(projection="m.g").group,
        letter(failure=FAILURE._replace(exception_type="KeyError")).group,
        letter(failure=FAILURE._replace(place="m.py f: yield 2")).group,
    }

    assert len(groups) == 4
    assert all(len(group) == 12 for group in groups)


@pytest.mark.parametrize("model", [DeadLetter, DeadLetterSummary])
def test_a_letter_of_another_version_is_read(model: type[DeadLetterSummary]) -> None:
    """With defaults for what is missing; what cannot be read is named, without its value."""
    old = model.from_document({"id": "x", "module": "m", "streamId": "s", "blocking": True})
    odd = model.from_document({"id": "x", "attempts": "SECRET", "state": 3, "module": "m"})

    assert (old.module, old.state, old.attempts, old.unreadable) == ("m", "waiting", 1, None)
    assert (odd.module, odd.state, odd.attempts) == ("m", "waiting", 1)
    assert odd.unreadable is not None
    assert odd.unreadable.startswith("state: ")
    assert "attempts: " in odd.unreadable
    assert "SECRET" not in odd.unreadable
