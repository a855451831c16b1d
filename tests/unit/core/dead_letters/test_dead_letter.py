from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pytest

from core.dead_letters.dead_letter import (
    MAX_REASON_LENGTH,
    DeadLetter,
    DeadLetterCount,
    count_dead_letters,
)
from core.dead_letters.poison import PoisonEvent
from core.model.documents import Cause

NOW = datetime(2026, 1, 1, tzinfo=timezone.utc)
LATER = datetime(2026, 1, 2, tzinfo=timezone.utc)


def letter(projection: str | None = "m.f", now: datetime = NOW, **changes: Any) -> DeadLetter:
    cause = Cause(
        projection=projection,
        stream_id=changes.pop("stream_id", "s-1"),
        event_id=changes.pop("event_id", "e"),
        feed_order=changes.pop("order", ""),
    )
    fields: dict[str, Any] = {
        "module": "m",
        "reason": "why",
        "error_type": "ProjectionFailedError",
        "traceback": "here",
        "blocks": False,
    }
    return DeadLetter.from_poison_event(PoisonEvent(cause=cause, **{**fields, **changes}), now)


def test_a_letter_reads_back_as_it_was_stored() -> None:
    """In a layout that is kept."""
    dead_letter = letter()

    assert DeadLetter.from_document(dead_letter.to_document()) == dead_letter
    assert sorted(dead_letter.to_document()) == [
        *("attempts", "blocking", "discardReason", "errorType", "eventId", "feedOrder"),
        *("firstFailedAt", "id", "lastFailedAt", "module", "projection", "reason"),
        *("streamId", "traceback"),
    ]


def test_another_attempt_keeps_when_it_began() -> None:
    """And counts."""
    again = letter().failed_again("OtherError", "worse", "", LATER)

    assert (again.attempts, again.reason, again.error_type) == (2, "worse", "OtherError")
    assert again.first_failed_at < again.last_failed_at
    assert again.id == letter().id


def test_a_letter_is_never_too_large_to_be_parked() -> None:
    """Whatever its reason quotes."""
    first = letter(reason="x" * 3_000_000)

    again = first.failed_again("OtherError", "y" * 3_000_000, "", LATER)

    assert len(first.reason) == len(again.reason) == MAX_REASON_LENGTH


@pytest.mark.parametrize(
    ("projection", "name", "expected"),
    [
        ("m.f", None, True),
        ("m.f", "m", True),
        ("m.f", "m.f", True),
        ("m.f", "m.g", False),
        (None, "m", True),
        (None, "m.f", False),
    ],
)
def test_letters_are_chosen_by_projection_or_module(
    projection: str | None, name: str | None, *, expected: bool
) -> None:
    """Those of unreadable events concern the module."""
    assert letter(projection).matches(name) is expected


@pytest.mark.parametrize(
    ("projection", "other", "expected"),
    [
        ("m.f", "m.f", True),
        ("m.f", "m.g", False),
        ("m.f", None, True),
        (None, "m.f", True),
        (None, None, True),
    ],
)
def test_an_unreadable_event_stands_in_the_order_of_every_projection(
    projection: str | None, other: str | None, *, expected: bool
) -> None:
    """It holds them up, and is held up by them."""
    earlier, later = letter(other, order="1"), letter(projection, order="2")

    assert later.is_preceded_by(earlier) is expected
    assert not earlier.is_preceded_by(later)


def test_letters_are_counted_by_projection_and_error() -> None:
    """With the oldest of each."""
    dead_letters = [
        letter(now=LATER),
        letter(event_id="x"),
        letter(None, error_type="InvalidEventError"),
    ]

    assert count_dead_letters(dead_letters) == [
        DeadLetterCount(
            module="m",
            projection="m.f",
            error_type="ProjectionFailedError",
            count=2,
            oldest_failed_at="2026-01-01T00:00:00.000000Z",
        ),
        DeadLetterCount(
            module="m",
            projection=None,
            error_type="InvalidEventError",
            count=1,
            oldest_failed_at="2026-01-01T00:00:00.000000Z",
        ),
    ]
