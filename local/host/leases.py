"""Lease documents and the rules about them, as the trigger has them; pure.

Source: the .NET change feed processor, whose documents these are (`DocumentServiceLeaseCore`,
`EqualPartitionsBalancingStrategy`, `PartitionSynchronizerCore`).
"""

from __future__ import annotations

import base64
import math
import re
from collections import Counter
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping

Json = dict[str, Any]

_EPK_VERSION = 1
_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d+)?Z?", re.ASCII)
_RID_BYTES = 8


class LeaseFormatError(Exception):
    """A lease document is not as the trigger writes them; names the document and the member."""


@dataclass(frozen=True, kw_only=True)
class LeaseTiming:
    """Seconds between balancing rounds, between renewals, and until a lease expires."""

    acquire: float = 13.0
    renew: float = 17.0
    expiration: float = 60.0

    @classmethod
    def scaled(cls, expiration: float) -> LeaseTiming:
        """Azure's proportions for another expiration."""
        factor = expiration / 60.0
        return cls(acquire=13.0 * factor, renew=17.0 * factor, expiration=expiration)


@dataclass(frozen=True, kw_only=True)
class PartitionRange:
    """A physical partition of the monitored container."""

    id: str
    minimum: str
    maximum: str


@dataclass(frozen=True)
class Lease:
    """A lease document; unknown properties are kept.

    Its properties raise LeaseFormatError where the document does not have them as it should.
    """

    document: Json

    @classmethod
    def from_document(cls, document: Json) -> Lease:
        """Return the lease of a stored document.

        Raises:
            LeaseFormatError: If it is not one that can be worked on.
        """
        lease = cls(document)
        _ = (lease.id, lease.token, lease.etag, lease.owner, lease.continuation, lease.range)
        _ = lease.written
        return lease

    @property
    def id(self) -> str:
        """The document's id."""
        return self._text("id")

    @property
    def token(self) -> str:
        """The part of the feed: a partition's id, or an opaque name in version 1."""
        return self._text("LeaseToken" if self.document.get("LeaseToken") else "PartitionId")

    @property
    def etag(self) -> str:
        """The version of the document."""
        return self._text("_etag")

    @property
    def owner(self) -> str | None:
        """The listener that works on it; None when it is free."""
        return self._text("Owner") if self.document.get("Owner") else None

    @property
    def continuation(self) -> str | None:
        """The checkpoint: an ETag of the feed, quotes included."""
        is_absent = self.document.get("ContinuationToken") is None
        return None if is_absent else self._text("ContinuationToken")

    @property
    def by_key_range(self) -> bool:
        """Whether the key range counts and not the partition's id (version 1, after a merge)."""
        return self.document.get("version") == _EPK_VERSION

    @property
    def range(self) -> tuple[str, str] | None:
        """The key range, where the document has one."""
        if self.document.get("FeedRange") is None:
            return None
        try:
            low, high = (self.document["FeedRange"]["Range"][name] for name in ("min", "max"))
        except (KeyError, TypeError):
            raise self._unusable("FeedRange") from None
        if not isinstance(low, str) or not isinstance(high, str):
            raise self._unusable("FeedRange")
        return low, high

    @property
    def written(self) -> datetime:
        """The time of the last write, by the clock of the host that wrote."""
        if self.document.get("timestamp") is None:
            return self._stored()
        return self.time("timestamp")

    def time(self, name: str) -> datetime:
        """Return a property that is a time, as lease documents have it."""
        match = _TIME.fullmatch(self._text(name))
        if match is None:
            raise self._unusable(name)
        try:
            moment = datetime.strptime(f"{match[1]}+0000", "%Y-%m-%dT%H:%M:%S%z")
            return moment + timedelta(seconds=float(match[2] or 0))
        except (ValueError, OverflowError):
            raise self._unusable(name) from None

    def expired(self, now: datetime, timing: LeaseTiming) -> bool:
        """Return whether anybody may take it: free, or not renewed for too long."""
        return self.owner is None or now - self.written > timedelta(seconds=timing.expiration)

    def changed(self, now: datetime, changes: Mapping[str, object]) -> Json:
        """Return the document with some properties changed and the time of this write."""
        return {**self.document, **changes, "timestamp": timestamp(now)}

    def with_etag(self, document: Json, etag: str) -> Lease:
        """Return the lease as it was just written."""
        return replace(self, document={**document, "_etag": etag})

    def _stored(self) -> datetime:
        try:
            return datetime.fromtimestamp(int(self.document.get("_ts", 0)), timezone.utc)
        except (TypeError, ValueError, OverflowError, OSError):
            raise self._unusable("_ts") from None

    def _text(self, name: str) -> str:
        value = self.document.get(name)
        if not isinstance(value, str):
            raise self._unusable(name)
        return value

    def _unusable(self, name: str) -> LeaseFormatError:
        return LeaseFormatError(
            f"Lease document {self.document.get('id')!r}: cannot read {name}, "
            f"which is {self.document.get(name)!r:.100}."
        )


def timestamp(moment: datetime) -> str:
    """The moment as lease documents have it: UTC, seven decimals, `Z`."""
    return moment.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%f0Z")


def is_container_rid(text: str) -> bool:
    """Return whether a text is the resource id of a container: 8 bytes in base64."""
    try:
        return len(_rid_bytes(text)) == _RID_BYTES
    except ValueError:
        return False


def _rid_bytes(text: str) -> bytes:
    return base64.b64decode(text.replace("-", "/"), validate=True)


def lease_prefix(prefix: str, endpoint: str, container_rid: str) -> str:
    """What the ids of a processor's documents begin with: `{prefix}{host}_{dbRid}_{collRid}`.

    The database's resource id is the first 4 of the container's 8 bytes.
    """
    database_rid = base64.b64encode(_rid_bytes(container_rid)[:4]).decode().replace("/", "-")
    return f"{prefix}{urlsplit(endpoint).hostname}_{database_rid}_{container_rid}"


def new_lease(prefix: str, partition: PartitionRange, continuation: str | None) -> Json:
    """The document of a free lease on one physical partition (version 0)."""
    return {
        "id": f"{prefix}..{partition.id}",
        "version": 0,
        "LeaseToken": partition.id,
        "FeedRange": {"Range": {"min": partition.minimum, "max": partition.maximum}},
        "Owner": None,
        "ContinuationToken": continuation,
        "properties": {},
        "timestamp": None,
        "Mode": "Incremental Feed",
    }


def successors(
    prefix: str, lease: Lease, partitions: list[PartitionRange], continuation: str | None
) -> list[Json]:
    """The leases that follow one whose partition is gone; none where it stays as it is.

    A lease on a partition is followed by those of its children or, after a merge, by one on its
    key range. A lease on a key range is cut where the partitions are, and stays where one
    partition holds it whole.

    Raises:
        LeaseFormatError: If the lease has no key range, or one that holds no partition.
    """
    if lease.range is None:
        raise LeaseFormatError(f"Lease document {lease.id!r} has no FeedRange to split.")
    low, high = lease.range
    heirs = overlapping(partitions, low, high)
    if not heirs:
        raise LeaseFormatError(f"Lease document {lease.id!r}: no partition is in its FeedRange.")
    if not lease.by_key_range and len(heirs) > 1:
        return [new_lease(prefix, heir, continuation) for heir in heirs]
    if lease.by_key_range and len(heirs) == 1:
        return []
    cuts = [(max(low, heir.minimum), min(high, heir.maximum)) for heir in heirs]
    return [_key_range_lease(prefix, *cut, continuation) for cut in cuts]


def overlapping(partitions: list[PartitionRange], low: str, high: str) -> list[PartitionRange]:
    """Return the partitions that hold a part of a key range."""
    return [item for item in partitions if item.minimum < high and low < item.maximum]


def _key_range_lease(prefix: str, low: str, high: str, continuation: str | None) -> Json:
    place = PartitionRange(id=f"{low}-{high}", minimum=low, maximum=high)
    return {**new_lease(prefix, place, continuation), "version": _EPK_VERSION}


def to_take(leases: list[Lease], me: str, now: datetime, timing: LeaseTiming) -> list[Lease]:
    """The leases that a balancing round should acquire: free ones first, else one to steal."""
    taken = [lease for lease in leases if not lease.expired(now, timing)]
    workers = Counter({me: 0})
    workers.update(str(lease.owner) for lease in taken)
    target = 1 if len(leases) <= len(workers) else math.ceil(len(leases) / len(workers))
    need = target - workers[me]
    if need <= 0:
        return []
    free = [lease for lease in leases if lease.expired(now, timing)]
    if free:
        return free[:need]
    busiest, count = workers.most_common(1)[0]
    if count <= target - (1 if need > 1 else 0):
        return []
    return [lease for lease in taken if lease.owner == busiest][:1]
