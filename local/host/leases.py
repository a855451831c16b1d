"""Lease documents and the rules about them, as the trigger has them; pure.

Source: the .NET change feed processor, whose documents these are (`DocumentServiceLeaseCore`,
`EqualPartitionsBalancingStrategy`, `PartitionSynchronizerCore`).
"""

from __future__ import annotations

import base64
import math
from collections import Counter
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from typing import Any
from urllib.parse import urlsplit

Json = dict[str, Any]

_EPK_VERSION = 1


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
    """A lease document; properties that we do not know are kept."""

    document: Json

    @property
    def id(self) -> str:
        """The document's id."""
        return str(self.document["id"])

    @property
    def token(self) -> str:
        """Which part of the feed: a partition's id, or an opaque name in version 1."""
        return str(self.document.get("LeaseToken") or self.document.get("PartitionId"))

    @property
    def etag(self) -> str:
        """The version of the document."""
        return str(self.document["_etag"])

    @property
    def owner(self) -> str | None:
        """Who works on it; None when it is free."""
        return self.document.get("Owner") or None

    @property
    def continuation(self) -> str | None:
        """The checkpoint: an ETag of the feed, quotes included."""
        token = self.document.get("ContinuationToken")
        return None if token is None else str(token)

    @property
    def by_key_range(self) -> bool:
        """Whether the key range counts and not the partition's id (version 1, after a merge)."""
        return self.document.get("version") == _EPK_VERSION

    @property
    def range(self) -> tuple[str, str] | None:
        """The key range, where the document has one."""
        found = self.document.get("FeedRange", {}).get("Range")
        return (found["min"], found["max"]) if found else None

    def expired(self, now: datetime, timing: LeaseTiming) -> bool:
        """Whether anybody may take it: free, or not renewed for too long."""
        return self.owner is None or self._written() + timedelta(seconds=timing.expiration) < now

    def changed(self, now: datetime, **changes: object) -> Json:
        """The document with some properties changed and the time of this write."""
        return {**self.document, **changes, "timestamp": timestamp(now)}

    def with_etag(self, document: Json, etag: str) -> Lease:
        """The lease as it was just written."""
        return replace(self, document={**document, "_etag": etag})

    def _written(self) -> datetime:
        text = self.document.get("timestamp")
        if text is None:
            return datetime.fromtimestamp(int(self.document.get("_ts", 0)), timezone.utc)
        seconds, _, fraction = str(text).rstrip("Z").partition(".")
        moment = datetime.strptime(seconds, "%Y-%m-%dT%H:%M:%S").replace(tzinfo=timezone.utc)
        return moment + timedelta(seconds=float(f"0.{fraction or 0}"))


def timestamp(moment: datetime) -> str:
    """The moment as lease documents have it: UTC, seven decimals, `Z`."""
    return moment.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%f0Z")


def lease_prefix(prefix: str, endpoint: str, container_rid: str) -> str:
    """What the ids of a processor's documents begin with: `{prefix}{host}_{dbRid}_{collRid}`.

    The database's resource id is the first 4 of the container's 8 bytes.
    """
    raw = base64.b64decode(container_rid.replace("-", "/"))
    database_rid = base64.b64encode(raw[:4]).decode().replace("/", "-")
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
    """
    if lease.range is None:
        raise ValueError(f"Lease {lease.id} has no FeedRange; its successors cannot be told.")
    low, high = lease.range
    found = [each for each in partitions if each.minimum < high and low < each.maximum]
    if not lease.by_key_range and len(found) > 1:
        return [new_lease(prefix, each, continuation) for each in found]
    if lease.by_key_range and len(found) <= 1:
        return []
    cuts = [(max(low, each.minimum), min(high, each.maximum)) for each in found]
    return [_key_range_lease(prefix, *each, continuation) for each in cuts or [(low, high)]]


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
