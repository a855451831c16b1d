"""The places of rows in a sorted result; they are what a continuation resumes after."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from local.cosmos.query.values import SortKey

    Row = tuple["Place", Any]


class Place(NamedTuple):
    """Where a row is in the result.

    Attributes:
        keys: What it is sorted by.
        tie: What decides between rows of equal keys: the item's number, or a hash of the result
            where equal results are one row.
    """

    keys: tuple[SortKey, ...]
    tie: int | str


@dataclass(frozen=True)
class Sorting:
    """The order of places.

    Attributes:
        descending: For each key, whether its highest value comes first. Ties follow the first
            key's direction, as the SDKs expect when they resume a query.
    """

    descending: tuple[bool, ...] = ()

    def sort(self, rows: list[Row]) -> None:
        """Sort rows in place."""
        rows.sort(key=lambda row: row[0].tie, reverse=self._ties_descend)
        for nth, descending in reversed(list(enumerate(self.descending))):
            rows.sort(key=lambda row: row[0].keys[nth], reverse=descending)

    def after(self, rows: list[Row], place: Place) -> list[Row]:
        """Return the sorted rows that come after a place, whether or not a row is there."""
        return rows[bisect_right(rows, 0, key=lambda row: self._compare(row[0], place)) :]

    def _compare(self, one: Place, other: Place) -> int:
        for mine, theirs, descending in zip(one.keys, other.keys, self.descending, strict=True):
            if mine != theirs:
                return 1 if (mine > theirs) != descending else -1
        if one.tie == other.tie:
            return 0
        return 1 if (one.tie > other.tie) != self._ties_descend else -1  # type: ignore[operator] # of one type

    @property
    def _ties_descend(self) -> bool:
        return self.descending[:1] == (True,)
