"""All leases of a module together: what they cover, and what is left of others; pure."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from itertools import combinations
from typing import TYPE_CHECKING, Any

from core.cosmos.key_ranges import KeyRange
from core.tracking.leases import Lease

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_KEY_SPACE_END = "FF"
_LOCK_EXPIRATION = timedelta(minutes=5)
"""The age at which the trigger's startup lock is left over: it expires after 30 s by itself."""


@dataclass(frozen=True, kw_only=True)
class LeaseSet:
    """The documents that the trigger stores for one module on one container.

    Attributes:
        module: The name of the module.
        leases: The leases, without those whose children exist already.
        partitions: The key ranges of the physical partitions.
        hosts: The names by which the account is reached, of which each has its own leases.
        leftovers: The ids of documents because of which the trigger creates no leases.
    """

    module: str
    leases: tuple[Lease, ...]
    partitions: tuple[KeyRange, ...]
    hosts: tuple[str, ...] = ()
    leftovers: tuple[str, ...] = ()

    @property
    def uncovered(self) -> list[KeyRange]:
        """The physical partitions that the leases do not cover completely."""
        return partitions_without_lease(self.leases, self.partitions) if self.leases else []

    @property
    def covered_twice(self) -> list[tuple[Lease, Lease]]:
        """The pairs of leases that cover the same keys, and are not in the midst of a split."""
        return [
            (one, other)
            for one, other in combinations(self.leases, 2)
            if _host(one.id) == _host(other.id) and _is_overlap(one, other, self.partitions)
        ]

    @property
    def is_doubtful(self) -> bool:
        """Whether it may have been read in the midst of a split."""
        return bool(self.uncovered or self.covered_twice or self.leftovers)

    def covering(self, key: str) -> list[Lease]:
        """Return the leases that cover an effective partition key."""
        return [lease for lease in self.leases if lease.range and lease.range.holds(key)]


def lease_sets(
    documents: Iterable[Mapping[str, Any]],
    rid: str,
    partitions: Sequence[KeyRange],
    ranges_by_id: Mapping[str, KeyRange],
    now: datetime,
) -> dict[str, LeaseSet]:
    """Return the documents of the trigger by module, of the container with a resource id.

    The id of a lease is `{module}-{host}_{database rid}_{container rid}..{token}`. The host is not
    compared: an account may be reached by several names.

    Args:
        documents: The documents of the lease container.
        rid: The resource id of the events container.
        partitions: The key ranges of its physical partitions.
        ranges_by_id: The same by their ids, for leases that name no range.
        now: The current time.
    """
    by_module: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for document in documents:
        stem, separator, _ = str(document["id"]).rpartition("..")
        stem = stem if separator else _stem(str(document["id"]))
        if "-" in stem and stem.endswith(f"_{rid}") and stem != document["id"]:
            by_module[stem.partition("-")[0]].append(document)
    return {
        module: _lease_set(module, own, partitions, ranges_by_id, now)
        for module, own in sorted(by_module.items())
    }


def lacks_range(document: Mapping[str, Any]) -> bool:
    """Return whether a document is a lease whose key range follows from its partition."""
    return ".." in str(document["id"]) and Lease.from_document(document).range is None


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


def _lease_set(
    module: str,
    documents: list[Mapping[str, Any]],
    partitions: Sequence[KeyRange],
    ranges_by_id: Mapping[str, KeyRange],
    now: datetime,
) -> LeaseSet:
    by_id = {str(document["id"]): document for document in documents}
    leases = [
        Lease.from_document(document)
        for lease_id, document in sorted(by_id.items())
        if ".." in lease_id
    ]
    placed = [
        replace(lease, range=lease.range or ranges_by_id.get(lease.token)) for lease in leases
    ]
    return LeaseSet(
        module=module,
        leases=tuple(without_superseded(placed, partitions)),
        partitions=tuple(partitions),
        hosts=tuple(sorted({_host(lease.id) for lease in leases})),
        leftovers=tuple(_leftovers(by_id, leases, now)),
    )


def _leftovers(
    by_id: Mapping[str, Mapping[str, Any]], leases: Sequence[Lease], now: datetime
) -> Iterable[str]:
    for document_id, document in by_id.items():
        stored_at = datetime.fromtimestamp(int(document.get("_ts") or 0), timezone.utc)
        if document_id.endswith(".lock") and now - stored_at > _LOCK_EXPIRATION:
            yield document_id
        stem = document_id.removesuffix(".info")
        if stem != document_id and not any(lease.id.startswith(f"{stem}..") for lease in leases):
            yield document_id


def _stem(document_id: str) -> str:
    """Return what the ids of the trigger's own documents begin with."""
    return document_id.removesuffix(".info").removesuffix(".lock")


def _host(lease_id: str) -> str:
    """Return the name of the account in the id of a lease."""
    stem = lease_id.rpartition("..")[0].partition("-")[2]
    return stem.rsplit("_", 2)[0]


def _is_overlap(one: Lease, other: Lease, partitions: Sequence[KeyRange]) -> bool:
    """Return whether both leases read the same keys, rather than one the other's children."""
    if one.range is None or other.range is None or one.range.overlap(other.range) is None:
        return False
    if one.range == other.range:
        return True
    if one.range.covers(other.range):
        return one.range in partitions
    return not other.range.covers(one.range) or other.range in partitions


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
