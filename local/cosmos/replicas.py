"""Reads from a replica that lags: the versions that recent writes replaced take their place."""

from __future__ import annotations

import heapq
from collections import deque
from operator import attrgetter
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from typing import Any

    from local.cosmos.partitions import KeyRange
    from local.cosmos.table import Item, ItemTable, Scan


class Change(NamedTuple):
    """One write of one item.

    Attributes:
        lsn: The LSN of the write.
        epk: The effective partition key.
        key: The partition key, as `PartitionKey.text`.
        id: The id of the item before the write, or that of a new item.
        number: The number of the item.
        before: The version that the write replaced or deleted, None for a new item.
    """

    lsn: int
    epk: str
    key: str
    id: str
    number: int
    before: Item | None


class ReplicaLag:
    """The age of the state that reads without a session token see, in seconds; 0 for none."""

    def __init__(self, seconds: float) -> None:
        self._configured = seconds
        self.seconds = seconds

    def override(self, seconds: float | None) -> None:
        """Set another lag; None restores the configured one."""
        self.seconds = self._configured if seconds is None else seconds


class History:
    """The writes of one container that replicas may not have yet, the oldest first.

    Args:
        lag: The lag in force; without a lag, nothing is recorded.
        clock: Returns the seconds of a monotonic clock.
    """

    def __init__(self, lag: ReplicaLag, clock: Callable[[], float]) -> None:
        self._lag = lag
        self._clock = clock
        self._writes: deque[tuple[float, Change]] = deque()

    @property
    def is_recording(self) -> bool:
        """Whether writes must be recorded."""
        return self._lag.seconds > 0

    def record(self, changes: Iterable[Change]) -> None:
        """Append the writes of a committed transaction."""
        now = self._clock()
        self._discard_old(now)
        self._writes.extend((now, change) for change in changes)

    def unreplicated(self, key_range: KeyRange, at_least: int | None) -> list[Change]:
        """Return the writes to a key range that a read does not see, the oldest first.

        Args:
            key_range: The key range.
            at_least: The LSN that the read must include, None for any.
        """
        self._discard_old(self._clock())
        return [
            change
            for _, change in self._writes
            if key_range.contains(change.epk) and (at_least is None or change.lsn > at_least)
        ]

    def _discard_old(self, now: float) -> None:
        while self._writes and self._writes[0][0] <= now - self._lag.seconds:
            self._writes.popleft()


class View:
    """The items of physical partitions as a replica has them.

    Args:
        table: The items in their latest versions.
        lsns: The last LSN of the replica, by the id of the physical partition.
        unreplicated: The writes that the replica does not have yet, the oldest first.
    """

    def __init__(
        self, table: ItemTable, lsns: Mapping[str, int], unreplicated: Sequence[Change]
    ) -> None:
        self._table = table
        self.lsns = lsns
        self._before: dict[int, Item | None] = {}
        self._before_by_id: dict[tuple[str, str], Item | None] = {}
        for change in unreplicated:
            self._before.setdefault(change.number, change.before)
            self._before_by_id.setdefault((change.key, change.id), change.before)

    def find(self, key: str, item_id: str) -> Item | None:
        """Return the item with the given partition key and id, None if there is none."""
        if (key, item_id) in self._before_by_id:
            return self._before_by_id[key, item_id]
        return self._table.find(key, item_id)

    def scan(self, scan: Scan) -> Iterator[Item]:
        """Return the items of a scan, in its order."""
        rows = self._table.scan(scan)
        return self._as_of(rows, scan.matches, scan.sort_key, reverse=scan.descending)

    def changes(self, partition_id: str, *, after: int) -> Iterator[Item]:
        """Return the items of a physical partition in the order of their last change."""
        rows = self._table.changes(partition_id, after=after)
        return self._as_of(rows, lambda item: item.lsn > after, attrgetter("lsn", "number"))

    def _as_of(
        self,
        rows: Iterator[Item],
        is_selected: Callable[[Item], bool],
        order: Callable[[Item], Any],
        *,
        reverse: bool = False,
    ) -> Iterator[Item]:
        """Replace the items that have unreplicated writes in rows that are sorted by `order`."""
        if not self._before:
            return rows
        earlier = [item for item in self._before.values() if item is not None and is_selected(item)]
        unchanged = (item for item in rows if item.number not in self._before)
        earlier.sort(key=order, reverse=reverse)
        return heapq.merge(unchanged, earlier, key=order, reverse=reverse)
