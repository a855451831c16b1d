"""What went wrong with the requests of the last minutes."""

from __future__ import annotations

import pytest

from core.errors import RejectedByCosmosError, ThrottledError, TransientError
from core.throttling.recent_errors import RecentErrors
from tests.support import FakeTime

THROTTLED = ThrottledError("x", status=429, sub_status=3200, retry_after=0.1)
FULL = RejectedByCosmosError("x", status=403, sub_status=1014)


def sent(requests: int, throttled: int, clock: FakeTime) -> RecentErrors:
    """Errors of so many requests, of which some were throttled, evenly."""
    errors = RecentErrors(clock)
    for number in range(requests):
        errors.requests += 1
        if number * throttled // requests != (number + 1) * throttled // requests:
            errors.record(THROTTLED)
    return errors


@pytest.mark.parametrize(
    ("requests", "throttled", "expected"),
    [
        pytest.param(1_000, 0, {}, id="none"),
        pytest.param(20, 9, {}, id="a few"),
        pytest.param(10_000, 400, {}, id="a small share"),
        pytest.param(1_000, 100, {"throttled": 100}, id="a large share"),
        pytest.param(10_000, 5_000, {"throttled": 1_000}, id="more than are counted"),
    ],
)
def test_throttling_counts_by_its_share(
    requests: int, throttled: int, expected: dict[str, int]
) -> None:
    """A few throttled requests show how much is possible."""
    assert sent(requests, throttled, FakeTime()).counts() == expected


async def test_errors_are_forgotten_after_five_minutes() -> None:
    """Of both kinds."""
    clock = FakeTime()
    errors = sent(100, 50, clock)
    errors.record(FULL)
    assert errors.counts() == {"throttled": 50, "no-room": 1}

    await clock.sleep(301)

    assert errors.counts() == {}


@pytest.mark.parametrize(
    "error",
    [
        TransientError("x", status=503),
        RejectedByCosmosError("x", status=400),
        RejectedByCosmosError("x", status=403, sub_status=5300),
    ],
)
def test_other_errors_do_not_count(error: TransientError | RejectedByCosmosError) -> None:
    """They are retried, logged or parked."""
    errors = RecentErrors(FakeTime())
    errors.record(error)

    assert errors.counts() == {}
