"""The status of modules, as it is shown."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest

from core.cosmos.key_ranges import KeyRange
from core.tracking.fan_out_progress import FanOutProgress
from core.tracking.lag import Lag
from core.tracking.leases import Lease
from core.tracking.status import LeaseStatus, ModuleStatus

NOW = datetime(2026, 1, 2, 3, 4, 5, 678900, timezone.utc)


def lease_status(lag: Lag) -> LeaseStatus:
    lease = Lease(
        id="m-host_a_b..0",
        token="0",
        range=KeyRange(start="", end="FF"),
        owner="host",
        checkpoint='"5"',
        updated_at=NOW,
    )
    return LeaseStatus.from_lease(lease, NOW, lag)


def test_a_lease_is_shown_with_its_lag() -> None:
    """By the names that every answer uses."""
    assert lease_status(Lag(transactions=3, seconds=1.26)).to_dict() == {
        "id": "m-host_a_b..0",
        "leaseToken": "0",
        "range": {"start": "", "end": "FF"},
        "owner": "host",
        "state": "active",
        "checkpoint": '"5"',
        "updatedAt": "2026-01-02T03:04:05.678900Z",
        "lagTransactions": 3,
        "lagSeconds": 1.3,
        "caughtUp": False,
        "faults": [],
    }


@pytest.mark.parametrize(
    ("lags", "missing", "expected"),
    [
        pytest.param([], 0, (False, None, None), id="never started"),
        pytest.param([Lag()], 0, (True, 0, 0.0), id="caught up"),
        pytest.param([Lag()], 1, (False, 0, 0.0), id="a partition without a lease"),
        pytest.param(
            [Lag(transactions=1, seconds=9.0), Lag(transactions=2, seconds=4.0)],
            0,
            (False, 3, 9.0),
            id="behind",
        ),
    ],
)
def test_a_module_is_as_far_as_its_leases(
    lags: list[Lag], missing: int, expected: tuple[bool, int | None, float | None]
) -> None:
    """Without a lease nothing is known of its lag."""
    status = ModuleStatus.from_leases("m", [lease_status(lag) for lag in lags], missing)

    assert (status.caught_up, status.lag_transactions, status.lag_seconds) == expected


def test_the_fingerprint_is_stored_and_not_shown() -> None:
    """It says nothing to people."""
    progress = FanOutProgress(
        projection="m.p", stream_id="a-1", event_id="e", written=7, fingerprint="abc"
    )
    status = ModuleStatus.from_leases("m", [], 0).model_copy(update={"fan_outs": (progress,)})

    assert status.to_dict()["fanOuts"] == [
        {"projection": "m.p", "streamId": "a-1", "eventId": "e", "written": 7}
    ]
    assert progress.to_document()["fingerprint"] == "abc"
    assert FanOutProgress.model_validate(progress.to_document()) == progress
