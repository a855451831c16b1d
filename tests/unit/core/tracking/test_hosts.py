"""What hosts reported of themselves."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from core.tracking.hosts import HostRecord, recent_conditions

NOW = datetime(2026, 1, 1, tzinfo=timezone.utc)


def report(minutes: float, **conditions: int) -> dict[str, Any]:
    """The record of a host that reported some minutes ago."""
    reported_at = NOW - timedelta(minutes=minutes)
    record = HostRecord(host="h", reported_at=reported_at, projections={}, conditions=conditions)
    return record.to_document()


def test_conditions_of_recent_reports_are_added() -> None:
    """Older ones say nothing of now, and other documents are no reports."""
    reports = [report(1, throttled=2), report(4, throttled=1), report(6, throttled=8)]

    assert recent_conditions([*reports, {"id": "m-h_d_c..0"}], NOW) == {"throttled": 3}


@pytest.mark.parametrize("reported_at", ["2025-12-31T23:59:00", "soon", None])
def test_a_report_whose_time_cannot_be_read_is_left_out(reported_at: object) -> None:
    """It does not end the status; a time without an offset is none."""
    odd = {**report(1, throttled=2), "reportedAt": reported_at}

    assert recent_conditions([odd, report(1, throttled=1)], NOW) == {"throttled": 1}
