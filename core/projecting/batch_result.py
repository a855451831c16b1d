"""The result of a batch, as it is logged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from core.throttling.stats import RequestStats


@dataclass(frozen=True, kw_only=True)
class BatchResult:
    """The result of a batch.

    Attributes:
        events: The number of documents in the batch.
        derived: The number of derived events that are durable.
        already_written: The number of these that an earlier attempt had written.
        parked: The number of dead letters that were stored.
        stats: The meter of the requests.
    """

    events: int
    derived: int
    already_written: int
    parked: int
    stats: RequestStats

    def __str__(self) -> str:
        """Return it as text for a log line."""
        stats = self.stats
        return (
            f"events={self.events} derived={self.derived} already_written={self.already_written} "
            f"parked={self.parked} requests={stats.requests} "
            f"throttled_requests={stats.throttled_requests} wait_seconds={stats.wait_seconds:.2f} "
            f"request_charge={stats.request_charge:.1f}"
        )
