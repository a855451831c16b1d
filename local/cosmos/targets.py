"""Which part of a container a query runs over, and in which order its partitions follow."""

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
_WHOLE = ("", "FF")

Bounds = tuple[str, str]
Entry = tuple["str | None", Bounds]


@dataclass(frozen=True)
class KeySet:
    """The partition keys that a query concerns.

    Attributes:
        keys: The keys, None for all.
        within: The key range that they are in.
    """

    keys: tuple[PartitionKey, ...] | None
    within: Bounds = _WHOLE

    @property
    def is_single(self) -> bool:
        """Whether a single physical partition answers for them, whatever the partitions are."""
        return self.keys is not None and len(self.keys) <= 1

    @property
    def ranges(self) -> list[dict[str, Any]]:
        """The ranges of effective partition keys, as query plans have them."""
        if self.keys is None:
            return [_range(*self.within, is_max_inclusive=False)]
        points = sorted({key.epk for key in self.keys}) or [""]
        return [_range(point, point, is_max_inclusive=True) for point in points]

    def overlaps(self, partition: Partition) -> bool:
        """Return whether some of them are in a physical partition."""
        if self.keys is not None:
            return any(partition.key_range.contains(point["min"]) for point in self.ranges)
        minimum, maximum = self.within
        return partition.key_range.minimum < maximum and minimum < partition.key_range.maximum


@dataclass(frozen=True, kw_only=True)
class Target:
    """A physical partition, what of it is read, and the continuation of the whole.

    Attributes:
        partition: The physical partition.
        scan: What of it is read.
        token: Where the page begins in it, None for its first page.
        following: What comes after it: tokens with their key ranges, as in a continuation.
        is_composite: Whether the continuation names key ranges.
    """

    partition: Partition
    scan: Scan
    token: str | None
    following: tuple[Entry, ...] = ()
    is_composite: bool = False

    def continuation(self, token: str | None) -> str | None:
        """Return the continuation after a page, None if there is nothing after it.

        Args:
            token: Where the next page begins in the same partition, None after its last page.
        """
        if not self.is_composite:
            return token
        here = (self.partition.key_range.minimum, self.partition.key_range.maximum)
        entries = ((token, here), *self.following) if token is not None else self.following
        if not entries:
            return None
        return json.dumps(
            [{"token": text, "range": {"min": low, "max": high}} for text, (low, high) in entries],
            separators=(",", ":"),
        )


def key_set(
    request: Request, container: Container, query: Query, parameters: Mapping[str, Any]
) -> KeySet:
    """Return the partition keys that a query concerns, by its header or by its condition.

    Raises:
        QueryError: If a parameter has no value.
        ServiceError: 400, if the partition key is malformed.
    """
    if _KEY in request.headers:
        return KeySet((partition_key_from_header(request.headers[_KEY]),))
    within = (request.headers.get("x-ms-start-epk", ""), request.headers.get("x-ms-end-epk", "FF"))
    if not query.tree.source:
        return KeySet(())
    values = fixed_values(query.tree, container.partition_key_path, parameters)
    return KeySet(None if values is None else tuple(map(partition_key, values)), within)


def is_addressed(request: Request) -> bool:
    """Return whether a request names the physical partition that it is for, or a partition key."""
    return _PARTITION in request.headers or _KEY in request.headers


def single_target(request: Request, container: Container, keys: KeySet) -> Target:
    """Return the target of a query that runs in one physical partition.

    Raises:
        ServiceError: 410/1002, if the one that it names does not exist, or no longer.
    """
    if _PARTITION in request.headers:
        partition = container.partition_by_id(request.headers[_PARTITION])
    elif keys.keys:
        partition = container.partition_of(keys.keys[0])
    else:
        partition = container.partitions[0]
    token = request.headers.get("x-ms-continuation") or None
    return Target(partition=partition, scan=_scan(partition, keys), token=token)


def next_target(request: Request, container: Container, keys: KeySet) -> Target:
    """Return the target of a query that goes on from partition to partition.

    What is still to be read is a list of key ranges with a token each; where a partition was split
    meanwhile, its token holds for each of its children.

    Raises:
        ServiceError: 400, if the continuation is malformed.
    """
    continuation = request.headers.get("x-ms-continuation")
    partitions = [partition for partition in container.partitions if keys.overlaps(partition)]
    entries = _parsed(continuation) if continuation else [(None, _WHOLE)]
    entries = [entry for entry in entries if _inside(entry, partitions)]
    if not entries:
        raise bad_request(f"The continuation {continuation!r:.100} does not fit the container.")
    (token, (_, maximum)), *following = entries
    partition = _inside(entries[0], partitions)[0]
    rest = (token, (partition.key_range.maximum, maximum))
    return Target(
        partition=partition,
        scan=_scan(partition, keys),
        token=token,
        following=(*([rest] if _inside(rest, partitions) else ()), *following),
        is_composite=True,
    )


def _inside(entry: Entry, partitions: Sequence[Partition]) -> list[Partition]:
    _, (minimum, maximum) = entry
    return [
        partition
        for partition in partitions
        if minimum <= partition.key_range.minimum and partition.key_range.maximum <= maximum
    ]


def _parsed(continuation: str) -> list[Entry]:
    try:
        return [
            (entry["token"], (str(entry["range"]["min"]), str(entry["range"]["max"])))
            for entry in json.loads(continuation)
        ]
    except (ValueError, TypeError, KeyError):
        raise bad_request(f"The continuation {continuation:.100} is malformed.") from None


def _scan(partition: Partition, keys: KeySet) -> Scan:
    conditions: list[Condition] = []
    minimum, maximum = keys.within
    if keys.is_single:  # no item has the empty key
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
