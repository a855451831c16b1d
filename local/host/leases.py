"""Lease documents and their rules, as the trigger has them.

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
    """A lease document is not as the trigger writes it; the message names the property."""


@dataclass(frozen=True, kw_only=True)
class LeaseIntervals:
    """The seconds between acquisition rounds, between renewals, and until a lease expires."""

    acquire: float = 13.0
    renew: float = 17.0
    expiration: float = 60.0

    @classmethod
    def scaled(cls, expiration: float) -> LeaseIntervals:
        """Return intervals with Azure's proportions for another expiration."""
        factor = expiration / 60.0
        return cls(acquire=13.0 * factor, renew=17.0 * factor, expiration=expiration)


@dataclass(frozen=True, kw_only=True)
class PartitionKeyRange:
    """A physical partition of the monitored container."""

    id: str
    minimum: str
    maximum: str


@dataclass(frozen=True)
class Lease:
    """A lease document, whose unknown properties are retained.

    The properties of this class raise LeaseFormatError if that of the document is invalid.
    """

    document: Json

    @classmethod
    def from_document(cls, document: Json) -> Lease:
        """Return the lease of a stored document.

        Raises:
            LeaseFormatError: If a property is missing or invalid.
        """
        lease = cls(document)
        _ = (lease.id, lease.token, lease.etag, lease.owner, lease.continuation, lease.range)
        _ = lease.updated_at
        return lease

    @property
    def id(self) -> str:
        """The document's id."""
        return self._text("id")

    @property
    def token(self) -> str:
        """The id of the partition, or an opaque name in version 1."""
        return self._text("LeaseToken" if self.document.get("LeaseToken") else "PartitionId")

    @property
    def etag(self) -> str:
        """The version of the document."""
        return self._text("_etag")

    @property
    def owner(self) -> str | None:
        """The name of the owner, or None if the lease is unowned."""
        return self._text("Owner") if self.document.get("Owner") else None

    @property
    def continuation(self) -> str | None:
        """The checkpoint, an ETag of the change feed with its quotes, or None."""
        has_checkpoint = self.document.get("ContinuationToken") is not None
        return self._text("ContinuationToken") if has_checkpoint else None

    @property
    def by_key_range(self) -> bool:
        """Whether the lease is on a key range instead of a partition (version 1, after a merge)."""
        return self.document.get("version") == _EPK_VERSION

    @property
    def range(self) -> tuple[str, str] | None:
        """The key range (start, end), or None if the document has none."""
        if self.document.get("FeedRange") is None:
            return None
        try:
            start, end = (self.document["FeedRange"]["Range"][name] for name in ("min", "max"))
        except (KeyError, TypeError):
            raise self._format_error("FeedRange") from None
        if not isinstance(start, str) or not isinstance(end, str):
            raise self._format_error("FeedRange")
        return start, end

    @property
    def updated_at(self) -> datetime:
        """The time of the last write, by the clock of the host that wrote it."""
        if self.document.get("timestamp") is None:
            return self._stored_at()
        return self.time("timestamp")

    def time(self, name: str) -> datetime:
        """Return a property that is a time in the format of lease documents."""
        match = _TIME.fullmatch(self._text(name))
        if match is None:
            raise self._format_error(name)
        try:
            moment = datetime.strptime(f"{match[1]}+0000", "%Y-%m-%dT%H:%M:%S%z")
            return moment + timedelta(seconds=float(match[2] or 0))
        except (ValueError, OverflowError):
            raise self._format_error(name) from None

    def is_expired(self, now: datetime, intervals: LeaseIntervals) -> bool:
        """Return whether any host may acquire it: it is unowned, or was not renewed in time."""
        return self.owner is None or now - self.updated_at > timedelta(seconds=intervals.expiration)

    def with_changes(self, now: datetime, changes: Mapping[str, object]) -> Json:
        """Return the document with changed properties and the time of this write."""
        return {**self.document, **changes, "timestamp": timestamp(now)}

    def with_etag(self, document: Json, etag: str) -> Lease:
        """Return the lease after its document was written."""
        return replace(self, document={**document, "_etag": etag})

    def _stored_at(self) -> datetime:
        try:
            return datetime.fromtimestamp(int(self.document.get("_ts", 0)), timezone.utc)
        except (TypeError, ValueError, OverflowError, OSError):
            raise self._format_error("_ts") from None

    def _text(self, name: str) -> str:
        value = self.document.get(name)
        if not isinstance(value, str):
            raise self._format_error(name)
        return value

    def _format_error(self, name: str) -> LeaseFormatError:
        return LeaseFormatError(
            f"Lease document {self.document.get('id')!r}: property {name} is invalid, "
            f"got {self.document.get(name)!r:.100}. Repair the document."
        )


def timestamp(moment: datetime) -> str:
    """Return a time in the format of lease documents: UTC, seven decimals, `Z`."""
    return moment.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%f0Z")


def is_container_rid(text: str) -> bool:
    """Return whether a text is the resource id of a container, which has 8 bytes."""
    try:
        return len(_rid_bytes(text)) == _RID_BYTES
    except ValueError:
        return False


def _rid_bytes(text: str) -> bytes:
    return base64.b64decode(text.replace("-", "/"), validate=True)


def lease_prefix(prefix: str, endpoint: str, container_rid: str) -> str:
    """Return the prefix of the ids of a processor's documents, `{prefix}{host}_{dbRid}_{collRid}`.

    The database's resource id is the first 4 of the container's 8 bytes.
    """
    database_rid = base64.b64encode(_rid_bytes(container_rid)[:4]).decode().replace("/", "-")
    return f"{prefix}{urlsplit(endpoint).hostname}_{database_rid}_{container_rid}"


def new_lease(prefix: str, partition: PartitionKeyRange, continuation: str | None) -> Json:
    """Return the document of an unowned lease on a physical partition (version 0)."""
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


def child_leases(
    prefix: str, lease: Lease, partitions: list[PartitionKeyRange], continuation: str | None
) -> list[Json]:
    """Return the leases that replace one whose partition is gone, or none if it remains.

    A lease on a partition is replaced by leases on its children or, after a merge, by one on its
    key range. A lease on a key range is divided at the bounds of the partitions; it remains if one
    partition contains all of it.

    Raises:
        LeaseFormatError: If the lease has no key range, or one without partitions.
    """
    if lease.range is None:
        raise LeaseFormatError(f"Lease document {lease.id!r} has no FeedRange to split. Repair it.")
    start, end = lease.range
    children = overlapping(partitions, start, end)
    if not children:
        raise LeaseFormatError(
            f"Lease document {lease.id!r}: its FeedRange contains no partition. Repair it."
        )
    if not lease.by_key_range and len(children) > 1:
        return [new_lease(prefix, child, continuation) for child in children]
    if lease.by_key_range and len(children) == 1:
        return []
    bounds = [(max(start, child.minimum), min(end, child.maximum)) for child in children]
    return [_key_range_lease(prefix, *pair, continuation) for pair in bounds]


def overlapping(
    partitions: list[PartitionKeyRange], start: str, end: str
) -> list[PartitionKeyRange]:
    """Return the partitions that contain a part of a key range."""
    return [
        partition
        for partition in partitions
        if partition.minimum < end and start < partition.maximum
    ]


def _key_range_lease(prefix: str, start: str, end: str, continuation: str | None) -> Json:
    key_range = PartitionKeyRange(id=f"{start}-{end}", minimum=start, maximum=end)
    return {**new_lease(prefix, key_range, continuation), "version": _EPK_VERSION}


def leases_to_acquire(
    leases: list[Lease], owner: str, now: datetime, intervals: LeaseIntervals
) -> list[Lease]:
    """Return the leases to acquire in this round: available ones, or else one of another owner."""
    owned = [lease for lease in leases if not lease.is_expired(now, intervals)]
    owners = Counter({owner: 0})
    owners.update(str(lease.owner) for lease in owned)
    target = 1 if len(leases) <= len(owners) else math.ceil(len(leases) / len(owners))
    missing = target - owners[owner]
    if missing <= 0:
        return []
    available = [lease for lease in leases if lease.is_expired(now, intervals)]
    if available:
        return available[:missing]
    busiest, count = owners.most_common(1)[0]
    if count <= target - (1 if missing > 1 else 0):
        return []
    return [lease for lease in owned if lease.owner == busiest][:1]
