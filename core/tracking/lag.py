"""How far behind a lease or a module is; pure.

Source: the .NET `ChangeFeedEstimator`, whose arithmetic this follows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.errors import LeaseFormatError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime


@dataclass(frozen=True, kw_only=True)
class FeedProbe:
    """One look at the feed behind a checkpoint.

    Attributes:
        session_lsn: The partition's last transaction.
        first_lsn: Of the first unprocessed item, None where there is none.
        first_time: When that item was written, in seconds since 1970.
    """

    session_lsn: int
    first_lsn: int | None = None
    first_time: int | None = None


@dataclass(frozen=True, kw_only=True)
class Lag:
    """How far behind; exact in whether it is 0.

    Attributes:
        transactions: Transactions of the partition from the first unprocessed one on. Those that
            changed no item count as well.
        seconds: Age of the first unprocessed item.
    """

    transactions: int = 0
    seconds: float = 0.0

    @property
    def caught_up(self) -> bool:
        """Whether everything is processed."""
        return self.transactions == 0


def lag_of(probe: FeedProbe, now: datetime) -> Lag:
    """How far behind one probe shows us to be, in the estimator's arithmetic."""
    if probe.first_lsn is None:
        return Lag()
    age = 0.0 if probe.first_time is None else now.timestamp() - probe.first_time
    return Lag(transactions=max(probe.session_lsn - probe.first_lsn + 1, 1), seconds=max(age, 0.0))


def total_lag(lags: Iterable[Lag]) -> Lag:
    """The lag of several parts: their transactions together, the oldest age."""
    found = list(lags)
    return Lag(
        transactions=sum(each.transactions for each in found),
        seconds=max((each.seconds for each in found), default=0.0),
    )


def session_lsn(token: str) -> int:
    """The global LSN of a session token: `0:12345`, `0:-1#12345#Region1=1`.

    Raises:
        LeaseFormatError: It holds none.
    """
    segments = token.partition(":")[2].split("#")
    number = segments[1] if len(segments) > 1 else segments[0]
    try:
        return int(number)
    except ValueError:
        raise LeaseFormatError(f"Session token {token!r:.80} holds no LSN.") from None
