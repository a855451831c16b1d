"""The status of modules and events, as it is shown; pure."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from core.camel_model import CamelModel
from core.cosmos.key_ranges import KeyRange
from core.tracking.coverage import ProjectionCoverage
from core.tracking.fan_out_progress import FanOutProgress
from core.tracking.lag import Lag, total_lag
from core.tracking.leases import LeaseFault, LeaseState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from core.tracking.leases import Lease


class LeaseStatus(CamelModel):
    """A lease with its state and its lag."""

    id: str
    """The id of the lease's document."""

    lease_token: str
    """The id of the partition, or an opaque name if the lease has a key range."""

    range: KeyRange | None
    """The key range, null if it is not known."""

    owner: str | None
    """The host that works on it, null if there is none."""

    state: LeaseState
    """Whether it has an owner that renews it."""

    checkpoint: str | None
    """The continuation token, null before the first checkpoint."""

    updated_at: datetime
    """The time when it was last written, which includes renewals."""

    lag_transactions: int | None
    """The transactions from the first unprocessed one on, null if they are not known."""

    lag_seconds: float | None
    """The age of the first unprocessed item, null if it is not known."""

    caught_up: bool
    """Whether everything is processed, as far as it is known."""

    faults: tuple[LeaseFault, ...] = ()
    """What is wrong with it, as the codes of findings."""

    @classmethod
    def from_lease(
        cls, lease: Lease, now: datetime, lag: Lag | None, *faults: LeaseFault
    ) -> LeaseStatus:
        """Return the status of a lease at a time, without a lag if that is not known."""
        return cls(
            id=lease.id,
            lease_token=lease.token,
            range=lease.range,
            owner=lease.owner,
            state=lease.state(now),
            checkpoint=lease.checkpoint,
            updated_at=lease.updated_at,
            lag_transactions=lag.transactions if lag else None,
            lag_seconds=round(lag.seconds, 1) if lag else None,
            caught_up=lag is not None and lag.caught_up,
            faults=(*lease.faults, *faults),
        )

    @property
    def lag(self) -> Lag:
        """The lag, as far as it is known."""
        return Lag(transactions=self.lag_transactions or 0, seconds=self.lag_seconds or 0.0)


class ModuleStatus(CamelModel):
    """The status of a projection module; without leases its trigger has never started."""

    module: str
    """The name of the module."""

    caught_up: bool
    """Whether everything that was stored at that time is processed."""

    lag_transactions: int | None
    """The sum of the transactions over all leases whose lag is known, null if there is none."""

    lag_seconds: float | None
    """The age of the oldest unprocessed item of these, null if there is none."""

    partitions_without_lease: int
    """The number of physical partitions that no lease covers."""

    coverage: tuple[ProjectionCoverage, ...] = ()
    """Since when its projections are given everything, where that is recorded."""

    fan_outs: tuple[FanOutProgress, ...] = ()
    """The progress of large fan-outs that are not completed."""

    leases: tuple[LeaseStatus, ...]
    """The leases."""

    @classmethod
    def from_leases(
        cls, module: str, leases: Sequence[LeaseStatus], partitions_without_lease: int
    ) -> ModuleStatus:
        """Return the status of a module with these leases."""
        lag = total_lag(lease.lag for lease in leases)
        is_known = any(lease.lag_transactions is not None for lease in leases)
        return cls(
            module=module,
            caught_up=bool(leases)
            and not partitions_without_lease
            and all(lease.caught_up and not lease.faults for lease in leases),
            lag_transactions=lag.transactions if is_known else None,
            lag_seconds=lag.seconds if is_known else None,
            partitions_without_lease=partitions_without_lease,
            leases=tuple(leases),
        )


class EventStatus(CamelModel):
    """Whether a module has processed an event, and the lease that shows it."""

    module: str
    """The name of the module."""

    stream_id: str
    """The stream of the event."""

    event_id: str
    """The id of the event."""

    processed: bool | None
    """Whether the event is processed, which includes parking it; null if that is not known."""

    reason: str | None = None
    """The code of why it is not known, null if it is."""

    lease_token: str | None
    """The token of the lease that covers the stream, null if none does."""

    dead_letter_reasons: tuple[str, ...] = ()
    """The reasons why projections of the module failed on the event."""
