"""Schedules of timers."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from local.host.schedules import Schedule
from local.host.settings import HostError
from local.host.timers import TimerStatus

NOW = datetime(2026, 1, 1, 12, 0, 30, 500_000, tzinfo=timezone.utc)


def schedule(expression: str) -> Schedule:
    return Schedule(expression, "schedule of function tick")


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("0 */5 * * * *", "2026-01-01T12:05:00+00:00"),
        ("*/5 * * * *", "2026-01-01T12:05:00+00:00"),
        ("* * * * * *", "2026-01-01T12:00:31+00:00"),
        ("15,45 * * * * *", "2026-01-01T12:00:45+00:00"),
        ("0-10/5 30 9-17 * * MON-FRI", "2026-01-01T12:30:00+00:00"),
        ("0 0 0 13 * 5", "2026-02-13T00:00:00+00:00"),
        ("0 0 0 1 jan *", "2027-01-01T00:00:00+00:00"),
        ("  0  0 0  29 2 * ", "2028-02-29T00:00:00+00:00"),
    ],
)
def test_the_next_occurrence_is_that_of_ncrontab(expression: str, expected: str) -> None:
    """Seconds first where there are six fields; the two kinds of day must both fit."""
    assert schedule(expression).after(NOW).isoformat() == expected


@pytest.mark.parametrize(
    "expression",
    [
        *("", "* * * *", "* * * * * * *", "60 * * * * *", "0 0 24 * * *", "@daily", "00:05:00"),
        *(
            "0 0 0 L * *",
            "0 0 0 ? * *",
            "0 0 0 * * 5#2",
            "H * * * * *",
            "0 0 0 30 2 *",
            "a b c d e",
        ),
    ],
)
def test_other_expressions_are_rejected(expression: str) -> None:
    """Also those that other crons know."""
    with pytest.raises(HostError, match=r"schedule of function tick .* NCRONTAB"):
        schedule(expression)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        *(("*/10 * * * * *", True), ("* * * * * *", True), ("0,30 * * * * *", True)),
        *(("0 * * * * *", False), ("0,30 5 * * * *", False), ("* * * * *", False)),
    ],
)
def test_schedules_within_a_minute_are_not_monitored(expression: str, *, expected: bool) -> None:
    """By the rule of Azure's own extension."""
    assert schedule(expression).occurs_within_a_minute(NOW) is expected


def test_a_missed_occurrence_stays_the_next_one() -> None:
    """Unless the schedule was changed meanwhile."""
    daily = schedule("0 0 0 * * *")
    stored = TimerStatus.after(daily, NOW - timedelta(days=3))

    assert stored.resume(daily, NOW) == stored
    assert stored.resume(schedule("0 0 1 * * *"), NOW) == TimerStatus(
        last=NOW, next=datetime(2026, 1, 2, 1, tzinfo=timezone.utc)
    )
