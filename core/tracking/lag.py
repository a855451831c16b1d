"""The lag of a lease or a module; pure.

Source: the .NET `ChangeFeedEstimator`, whose arithmetic this follows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime


@dataclass(frozen=True, kw_only=True)
class FeedProbe:
    """What the change feed has after a checkpoint.

    Attributes:
        session_lsn: The last transaction of the partition.
        first_lsn: The transaction of the first unprocessed item, None if there is none.
        first_time: The time when that item was written, in seconds since 1970.
    """

    session_lsn: int
    first_lsn: int | None = None
    first_time: int | None = None


@dataclass(frozen=True, kw_only=True)
class Lag:
    """What is yet to be processed, exact only in whether it is 0.

    Attributes:
        transactions: The transactions of the partition from the first unprocessed one on, including
            those that changed no item.
        seconds: The age of the first unprocessed item.
    """

    transactions: int = 0
    seconds: float = 0.0

    @property
    def caught_up(self) -> bool:
        """Whether everything is processed."""
        return self.transactions == 0


def lag_of(probe: FeedProbe, now: datetime) -> Lag:
    """Return the lag that a probe shows."""
    if probe.first_lsn is None:
        return Lag()
    age = 0.0 if probe.first_time is None else now.timestamp() - probe.first_time
    return Lag(transactions=max(probe.session_lsn - probe.first_lsn + 1, 1), seconds=max(age, 0.0))


def is_ahead(lsn: int | None, probes: Iterable[FeedProbe]) -> bool:
    """Return whether a checkpoint is newer than the partitions that it is of.

    Their transactions are then numbered again, because the container was restored or created again,
    and what is stored up to the checkpoint's number is never read.
    """
    return lsn is not None and lsn > max((probe.session_lsn for probe in probes), default=lsn)


def total_lag(lags: Iterable[Lag]) -> Lag:
    """Return the lag of several parts: the sum of their transactions, and the oldest age."""
    parts = list(lags)
    return Lag(
        transactions=sum(part.transactions for part in parts),
        seconds=max((part.seconds for part in parts), default=0.0),
    )
