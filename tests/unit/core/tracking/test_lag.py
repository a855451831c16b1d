"""The lag, in the arithmetic of the estimator."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest

from core.tracking.lag import FeedProbe, Lag, lag_of, total_lag


@pytest.mark.parametrize(
    ("probe", "transactions", "seconds"),
    [
        pytest.param(FeedProbe(session_lsn=50), 0, 0, id="nothing left"),
        pytest.param(FeedProbe(session_lsn=50, first_lsn=50, first_time=90), 1, 10, id="the last"),
        pytest.param(FeedProbe(session_lsn=50, first_lsn=41, first_time=40), 10, 60, id="ten left"),
        pytest.param(FeedProbe(session_lsn=50, first_lsn=1, first_time=0), 50, 100, id="all left"),
        pytest.param(
            FeedProbe(session_lsn=49, first_lsn=51, first_time=99), 1, 1, id="written since"
        ),
        pytest.param(
            FeedProbe(session_lsn=50, first_lsn=50, first_time=200), 1, 0, id="fast clock"
        ),
    ],
)
def test_lag_follows_the_estimators_arithmetic(
    probe: FeedProbe, transactions: int, seconds: float
) -> None:
    """Exact in whether it is 0."""
    lag = lag_of(probe, datetime.fromtimestamp(100, timezone.utc))

    assert lag == Lag(transactions=transactions, seconds=seconds)
    assert lag.caught_up is (transactions == 0)


def test_the_total_lag_is_that_of_the_oldest_event() -> None:
    """And all transactions together."""
    lags = [Lag(transactions=2, seconds=5.0), Lag(), Lag(transactions=3, seconds=1.0)]

    assert total_lag(lags) == Lag(transactions=5, seconds=5.0)
    assert total_lag([]) == Lag()
