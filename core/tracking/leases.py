"""The lease documents of the trigger: owners, checkpoints and key ranges; pure.

Source: the .NET change feed processor, whose documents these are (`DocumentServiceLeaseCore`), and
its `ChangeFeedEstimator`, whose arithmetic the lag follows.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from enum import Enum
from typing import TYPE_CHECKING, Any

from core.cosmos.key_ranges import KeyRange
from core.errors import LeaseFormatError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

EXPIRATION = timedelta(seconds=60)
"""The time after which a lease that is not renewed expires (the trigger's default)."""

_KEY_SPACE_END = "FF"


class LeaseState(Enum):
    """The state of a lease."""

    ACTIVE = "active"
    EXPIRED = "expired"
    UNOWNED = "unowned"


@dataclass(frozen=True, kw_only=True)
class Lease:
    """A lease as the trigger stores it.

    Attributes:
        id: The id of the document.
        token: The id of the partition, or an opaque name if the lease has a key range.
        range: The key range, None in documents of old versions of the trigger.
        owner: The host that works on it, None if there is none.
        checkpoint: The continuation token, None before the first checkpoint.
        updated_at: The time when it was last written, which includes renewals.
    """

    id: str
    token: str
    range: KeyRange | None
    owner: str | None
    checkpoint: str | None
    updated_at: datetime

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Lease | None:
        """Return the lease of a document, None for other documents in the container."""
        token = document.get("LeaseToken") or document.get("PartitionId")
        if not isinstance(token, str):
            return None
        span = (document.get("FeedRange") or {}).get("Range")
        return cls(
            id=document["id"],
            token=token,
            range=KeyRange(start=span["min"], end=span["max"]) if span else None,
            owner=(document.get("Owner") or "").strip() or None,
            checkpoint=document.get("ContinuationToken"),
            updated_at=_moment(document),
        )

    def state(self, now: datetime, expiration: timedelta = EXPIRATION) -> LeaseState:
        """Return the state at a time, by the clocks of the hosts."""
        if self.owner is None:
            return LeaseState.UNOWNED
        return LeaseState.ACTIVE if now - self.updated_at < expiration else LeaseState.EXPIRED


def lease_prefix(module: str) -> str:
    """Return the prefix of the lease ids of a projection module.

    Names of modules have no `-`, so that no prefix is the start of another one.
    """
    return f"{module}-"


def is_lease_of(lease_id: str, module: str, container_rid: str) -> bool:
    """Return whether a lease is that of a module on the container with a resource id.

    The id is `{prefix}{host}_{database rid}_{container rid}..{token}`. The host is not compared:
    an account may be reached by several names.
    """
    stem, dots, _ = lease_id.rpartition("..")
    return (
        bool(dots) and stem.startswith(lease_prefix(module)) and stem.endswith(f"_{container_rid}")
    )


def without_superseded(leases: Iterable[Lease], partitions: Sequence[KeyRange]) -> list[Lease]:
    """Return the leases without those whose children exist already.

    A split creates the children before it deletes the parent, so that both exist for a moment.
    """
    known = list(leases)
    return [lease for lease in known if not _is_superseded(lease, known, partitions)]


def partitions_without_lease(
    leases: Iterable[Lease], partitions: Sequence[KeyRange]
) -> list[KeyRange]:
    """Return the physical partitions that the leases do not cover completely.

    They are not processed: the trigger creates leases at its first start only, and not again if one
    is deleted by hand.
    """
    ranges = [lease.range for lease in leases if lease.range is not None]
    return [partition for partition in partitions if not _covers(ranges, partition)]


def split_by_partition(lease: Lease, partitions: Sequence[KeyRange]) -> list[KeyRange]:
    """Return the parts of a lease's range, one for each physical partition."""
    whole = lease.range or KeyRange(start="", end=_KEY_SPACE_END)
    parts = (whole.overlap(partition) for partition in partitions)
    return [part for part in parts if part is not None]


def _covers(ranges: Iterable[KeyRange], whole: KeyRange) -> bool:
    reached = whole.start
    for key_range in sorted(ranges, key=lambda one: one.start):
        if key_range.start <= reached < key_range.end:
            reached = key_range.end
    return reached >= whole.end


def _is_superseded(lease: Lease, leases: list[Lease], partitions: Sequence[KeyRange]) -> bool:
    if lease.range is None or lease.range in partitions:
        return False
    inside = [
        other.range
        for other in leases
        if other.range and other.range != lease.range and lease.range.covers(other.range)
    ]
    parts = split_by_partition(lease, partitions)
    return bool(parts) and all(any(other.covers(part) for other in inside) for part in parts)


def _moment(document: Mapping[str, Any]) -> datetime:
    text = document.get("timestamp")
    if not text:
        return datetime.fromtimestamp(int(document.get("_ts") or 0), timezone.utc)
    seconds, _, fraction = str(text).rstrip("Z").partition(".")
    try:
        moment = datetime.strptime(seconds, "%Y-%m-%dT%H:%M:%S").replace(tzinfo=timezone.utc)
    except ValueError:
        raise LeaseFormatError(f"Lease {document.get('id')} has the time {text!r:.40}.") from None
    return moment + timedelta(seconds=float(f"0.{fraction or 0}"))
