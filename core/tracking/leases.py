"""Reads the trigger's lease documents: who works on what, how far, and how far behind; pure.

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
"""A lease that was not renewed for so long is free for others (the trigger's default)."""

_KEY_SPACE_END = "FF"


class LeaseState(Enum):
    """Whether somebody works on a lease."""

    ACTIVE = "alive"
    EXPIRED = "dead"
    UNOWNED = "released"


@dataclass(frozen=True, kw_only=True)
class Lease:
    """A lease as the trigger wrote it.

    Attributes:
        id: Of the document.
        token: Partition id, or an opaque name where the key range counts.
        range: None in documents of older versions of the trigger.
        owner: None when nobody works on it.
        checkpoint: Continuation token as it is; None before the first checkpoint.
        updated_at: When it was last written, for whatever reason; renewals count.
    """

    id: str
    token: str
    range: KeyRange | None
    owner: str | None
    checkpoint: str | None
    updated_at: datetime

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Lease | None:
        """The lease of a document; None for the trigger's other documents and for cursors."""
        token = document.get("LeaseToken") or document.get("PartitionId")
        if not isinstance(token, str):
            return None
        found = (document.get("FeedRange") or {}).get("Range")
        return cls(
            id=document["id"],
            token=token,
            range=KeyRange(start=found["min"], end=found["max"]) if found else None,
            owner=(document.get("Owner") or "").strip() or None,
            checkpoint=document.get("ContinuationToken"),
            updated_at=_moment(document),
        )

    @property
    def checkpoint_lsn(self) -> int | None:
        """The transaction up to which all is processed; None where the token does not tell."""
        number = (self.checkpoint or "").strip('"')
        return int(number) if number.isdigit() else None

    def state(self, now: datetime, expiration: timedelta = EXPIRATION) -> LeaseState:
        """Whether somebody works on it, by the clocks of the hosts."""
        if self.owner is None:
            return LeaseState.UNOWNED
        return LeaseState.ACTIVE if now - self.updated_at < expiration else LeaseState.EXPIRED


def lease_prefix(module: str) -> str:
    """What the lease ids of a projection module begin with.

    Module names have no `-`, so that none of these begins another one.
    """
    return f"{module}-"


def is_lease_of(lease_id: str, module: str, container_rid: str) -> bool:
    """Whether a lease is that of the module on the container of this resource id.

    The id is `{prefix}{host}_{database rid}_{container rid}..{token}`. The host is not compared:
    an account may be reached by several names.
    """
    stem, dots, _ = lease_id.rpartition("..")
    return (
        bool(dots) and stem.startswith(lease_prefix(module)) and stem.endswith(f"_{container_rid}")
    )


def without_superseded(leases: Iterable[Lease], partitions: Sequence[KeyRange]) -> list[Lease]:
    """Today's leases: without those whose children are there already.

    A split creates the children before it deletes the parent, so both can be seen for a moment.
    """
    found = list(leases)
    return [lease for lease in found if not _superseded(lease, found, partitions)]


def partitions_without_lease(
    leases: Iterable[Lease], partitions: Sequence[KeyRange]
) -> list[KeyRange]:
    """The physical partitions that no lease, or no set of leases, covers whole.

    Nobody reads them: the trigger creates leases at its first start only, so that a lease that
    was deleted by hand stays away.
    """
    ranges = [lease.range for lease in leases if lease.range is not None]
    return [each for each in partitions if not _covers(ranges, each)]


def split_by_partition(lease: Lease, partitions: Sequence[KeyRange]) -> list[KeyRange]:
    """The parts of a lease's range, one for each physical partition of today."""
    whole = lease.range or KeyRange(start="", end=_KEY_SPACE_END)
    found = (whole.overlap(partition) for partition in partitions)
    return [piece for piece in found if piece is not None]


def _covers(ranges: Iterable[KeyRange], whole: KeyRange) -> bool:
    reached = whole.start
    for each in sorted(ranges, key=lambda found: found.start):
        if each.start <= reached < each.end:
            reached = each.end
    return reached >= whole.end


def _superseded(lease: Lease, leases: list[Lease], partitions: Sequence[KeyRange]) -> bool:
    if lease.range is None or lease.range in partitions:
        return False
    inside = [
        other.range
        for other in leases
        if other.range and other.range != lease.range and lease.range.covers(other.range)
    ]
    wanted = split_by_partition(lease, partitions)
    return bool(wanted) and all(any(o.covers(piece) for o in inside) for piece in wanted)


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
