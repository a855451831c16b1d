"""The physical partition that a page of a query reads, and the continuation over partitions."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from local.cosmos.errors import bad_request
from local.cosmos.partitions import partition_key, partition_key_from_header
from local.cosmos.query import fixed_values
from local.cosmos.table import Scan

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from local.cosmos.containers import Container, Partition
    from local.cosmos.messages import Request
    from local.cosmos.partitions import PartitionKey
    from local.cosmos.query import Query
    from local.cosmos.table import Condition

_KEY = "x-ms-documentdb-partitionkey"
_PARTITION = "x-ms-documentdb-partitionkeyrangeid"
_ALL_KEYS = ("", "FF")

Bounds = tuple[str, str]
Entry = tuple["str | None", Bounds]


@dataclass(frozen=True)
class KeySet:
    """The partition keys that a query reads.

    Attributes:
        keys: The partition keys, None for all.
        bounds: The range of their effective partition keys.
    """

    keys: tuple[PartitionKey, ...] | None
    bounds: Bounds = _ALL_KEYS

    @property
    def is_single(self) -> bool:
        """Whether they are in one physical partition, however the container is partitioned."""
        return self.keys is not None and len(self.keys) <= 1

    @property
    def ranges(self) -> list[dict[str, Any]]:
        """The ranges of effective partition keys in the form of query plans."""
        if self.keys is None:
            return [_range(*self.bounds, is_max_inclusive=False)]
        points = sorted({key.epk for key in self.keys}) or [""]
        return [_range(point, point, is_max_inclusive=True) for point in points]

    def overlaps(self, partition: Partition) -> bool:
        """Return whether a physical partition has some of them."""
        if self.keys is not None:
            return any(partition.key_range.contains(point["min"]) for point in self.ranges)
        minimum, maximum = self.bounds
        return partition.key_range.minimum < maximum and minimum < partition.key_range.maximum


@dataclass(frozen=True, kw_only=True)
class Target:
    """The physical partition that a page reads, and the rest of the query.

    Attributes:
        partition: The physical partition.
        scan: The items to read from it.
        token: The start of the page in the partition, None for its first page.
        remaining: The tokens and key ranges that follow, as in a continuation.
        is_composite: Whether the continuation names key ranges.
    """

    partition: Partition
    scan: Scan
    token: str | None
    remaining: tuple[Entry, ...] = ()
    is_composite: bool = False

    def continuation(self, token: str | None) -> str | None:
        """Return the continuation after a page, None after the last one.

        Args:
            token: The start of the next page in the same partition, None after its last page.
        """
        if not self.is_composite:
            return token
        here = (self.partition.key_range.minimum, self.partition.key_range.maximum)
        entries = ((token, here), *self.remaining) if token is not None else self.remaining
        if not entries:
            return None
        return json.dumps(
            [{"token": text, "range": {"min": low, "max": high}} for text, (low, high) in entries],
            separators=(",", ":"),
        )


def select_keys(
    request: Request, container: Container, query: Query, parameters: Mapping[str, Any]
) -> KeySet:
    """Return the partition keys that a query reads, from the header or from its condition.

    Raises:
        QueryError: If a parameter has no value.
        ServiceError: 400, if the partition key is malformed.
    """
    if _KEY in request.headers:
        return KeySet((partition_key_from_header(request.headers[_KEY]),))
    bounds = (request.headers.get("x-ms-start-epk", ""), request.headers.get("x-ms-end-epk", "FF"))
    if not query.tree.source:
        return KeySet(())
    values = fixed_values(query.tree, container.partition_key_path, parameters)
    return KeySet(None if values is None else tuple(map(partition_key, values)), bounds)


def is_addressed(request: Request) -> bool:
    """Return whether a request has a header for a physical partition or a partition key."""
    return _PARTITION in request.headers or _KEY in request.headers


def single_target(request: Request, container: Container, keys: KeySet) -> Target:
    """Return the target of a query that runs in one physical partition.

    Raises:
        ServiceError: 410/1002, if the partition that it names does not exist, or not any more.
    """
    if _PARTITION in request.headers:
        partition = container.partition_by_id(request.headers[_PARTITION])
    elif keys.keys:
        partition = container.partition_of(keys.keys[0])
    else:
        partition = container.partitions[0]
    token = request.headers.get("x-ms-continuation") or None
    return Target(partition=partition, scan=_build_scan(partition, keys), token=token)


def next_target(request: Request, container: Container, keys: KeySet) -> Target:
    """Return the target of a query that continues from partition to partition.

    The continuation is a list of key ranges with a token each. If a partition has been split, its
    token applies to each child.

    Raises:
        ServiceError: 400, if the continuation is malformed.
    """
    continuation = request.headers.get("x-ms-continuation")
    partitions = [partition for partition in container.partitions if keys.overlaps(partition)]
    entries = _parse_entries(continuation) if continuation else [(None, _ALL_KEYS)]
    entries = [entry for entry in entries if _partitions_inside(entry, partitions)]
    if not entries:
        raise bad_request(f"The continuation {continuation!r:.100} does not match the container.")
    (token, (_, maximum)), *others = entries
    partition = _partitions_inside(entries[0], partitions)[0]
    rest = (token, (partition.key_range.maximum, maximum))
    return Target(
        partition=partition,
        scan=_build_scan(partition, keys),
        token=token,
        remaining=(*([rest] if _partitions_inside(rest, partitions) else ()), *others),
        is_composite=True,
    )


def _partitions_inside(entry: Entry, partitions: Sequence[Partition]) -> list[Partition]:
    _, (minimum, maximum) = entry
    return [
        partition
        for partition in partitions
        if minimum <= partition.key_range.minimum and partition.key_range.maximum <= maximum
    ]


def _parse_entries(continuation: str) -> list[Entry]:
    try:
        return [
            (entry["token"], (str(entry["range"]["min"]), str(entry["range"]["max"])))
            for entry in json.loads(continuation)
        ]
    except (ValueError, TypeError, KeyError):
        raise bad_request(f"The continuation {continuation:.100} is malformed.") from None


def _build_scan(partition: Partition, keys: KeySet) -> Scan:
    conditions: list[Condition] = []
    minimum, maximum = keys.bounds
    if keys.is_single:  # the text "" matches no item
        conditions.append(("key", "=", keys.keys[0].text if keys.keys else ""))
    if minimum > partition.key_range.minimum:
        conditions.append(("epk", ">=", minimum))
    if maximum < partition.key_range.maximum:
        conditions.append(("epk", "<", maximum))
    return Scan(partition=partition.key_range.id, conditions=tuple(conditions))


def _range(minimum: str, maximum: str, *, is_max_inclusive: bool) -> dict[str, Any]:
    return {
        "min": minimum,
        "max": maximum,
        "isMinInclusive": True,
        "isMaxInclusive": is_max_inclusive,
    }
