"""The lease documents of the trigger: owners, checkpoints and key ranges; pure.

Source: the .NET change feed processor, whose documents these are (`DocumentServiceLeaseCore`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from enum import Enum
from typing import TYPE_CHECKING, Any

from core.cosmos.key_ranges import KeyRange

if TYPE_CHECKING:
    from collections.abc import Mapping

EXPIRATION = timedelta(seconds=60)
"""The time after which a lease that is not renewed expires (the trigger's default)."""

_MODE = "Incremental Feed"
_KEY = re.compile(r"[0-9A-Fa-f]*", re.ASCII)
_CHECKPOINT = re.compile(r'"(\d{1,19})"', re.ASCII)
_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d+)?Z?", re.ASCII)


class LeaseState(Enum):
    """The state of a lease."""

    ACTIVE = "active"
    EXPIRED = "expired"
    UNOWNED = "unowned"


class LeaseFault(Enum):
    """What is wrong with a lease, as the code of the finding."""

    UNREADABLE = "lease-unreadable"
    TIMESTAMP = "timestamp-unreadable"
    TOKEN = "token-unreadable"  # noqa: S105 - the code of a finding
    AHEAD = "checkpoint-ahead"
    UNKNOWN = "lag-unknown"


@dataclass(frozen=True, kw_only=True)
class Lease:
    """A lease as the trigger stores it, as far as it can be read.

    Attributes:
        id: The id of the document.
        token: The id of the partition, or an opaque name if the lease has a key range.
        range: The key range, None if it is unknown: old versions of the trigger store none.
        owner: The host that works on it, None if there is none.
        checkpoint: The continuation token, None before the first checkpoint.
        updated_at: The time when it was last written, which includes renewals.
        faults: What cannot be read.
    """

    id: str
    token: str
    range: KeyRange | None
    owner: str | None
    checkpoint: str | None
    updated_at: datetime
    faults: tuple[LeaseFault, ...] = ()

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Lease:
        """Return the lease of a document with the id of a lease, whatever else it holds."""
        lease_id = str(document["id"])
        token = document.get("LeaseToken") or document.get("PartitionId")
        owner, checkpoint = document.get("Owner"), document.get("ContinuationToken")
        key_range, updated_at = _key_range(document), _moment(document)
        return cls(
            id=lease_id,
            token=token if isinstance(token, str) else lease_id.rpartition("..")[2],
            range=key_range,
            owner=(owner.strip() or None) if isinstance(owner, str) else None,
            checkpoint=None if checkpoint is None else str(checkpoint),
            updated_at=updated_at or _stored_at(document),
            faults=_faults(document, key_range, updated_at),
        )

    @property
    def lsn(self) -> int | None:
        """The transaction up to which everything is processed, None if the checkpoint has none."""
        match = _CHECKPOINT.fullmatch(self.checkpoint or "")
        return int(match[1]) if match else None

    def is_on(self, container_rid: str) -> bool:
        """Return whether it is a lease on the container with a resource id, which its id names."""
        return self.id.rpartition("..")[0].endswith(f"_{container_rid}")

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


def _faults(
    document: Mapping[str, Any], key_range: KeyRange | None, updated_at: datetime | None
) -> tuple[LeaseFault, ...]:
    token = document.get("LeaseToken") or document.get("PartitionId")
    checkpoint = document.get("ContinuationToken")
    is_readable = (
        isinstance(token, str)
        and isinstance(document.get("Owner"), str | None)
        and (document.get("Mode") or _MODE) == _MODE
        and (key_range is not None or document.get("FeedRange") is None)
    )
    faults = {
        LeaseFault.UNREADABLE: not is_readable,
        LeaseFault.TIMESTAMP: updated_at is None,
        LeaseFault.TOKEN: checkpoint is not None and not _is_checkpoint(checkpoint),
    }
    return tuple(fault for fault, is_present in faults.items() if is_present)


def _is_checkpoint(value: object) -> bool:
    return isinstance(value, str) and _CHECKPOINT.fullmatch(value) is not None


def _key_range(document: Mapping[str, Any]) -> KeyRange | None:
    """Return the key range, None if there is none or it cannot be read."""
    try:
        span = document["FeedRange"]["Range"]
        start, end = span["min"], span["max"]
    except (KeyError, TypeError):
        return None
    if not (isinstance(start, str) and isinstance(end, str) and start < end):
        return None
    is_key = _KEY.fullmatch(start) and _KEY.fullmatch(end)
    return KeyRange(start=start, end=end) if is_key else None


def _moment(document: Mapping[str, Any]) -> datetime | None:
    """Return the time of the last write by a host, None if it cannot be read."""
    text = document.get("timestamp")
    if text is None:
        return _stored_at(document)
    match = _TIME.fullmatch(text) if isinstance(text, str) else None
    try:
        seconds = datetime.strptime(f"{match[1]}+0000", "%Y-%m-%dT%H:%M:%S%z") if match else None
        return None if seconds is None or match is None else seconds + _fraction(match[2])
    except (ValueError, OverflowError):
        return None


def _fraction(text: str | None) -> timedelta:
    return timedelta(seconds=float(text or 0))


def _stored_at(document: Mapping[str, Any]) -> datetime:
    """Return the time when the service stored the document."""
    return datetime.fromtimestamp(int(document.get("_ts") or 0), timezone.utc)
