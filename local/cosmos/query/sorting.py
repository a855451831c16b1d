"""The positions of rows in a sorted result, after which a continuation resumes."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from local.cosmos.query.values import SortKey

    Row = tuple["RowPosition", Any]


class RowPosition(NamedTuple):
    """The position of a row in the result.

    Attributes:
        keys: The sort keys.
        tie_breaker: The order of rows with equal keys: the number of the item, or a hash of the
            result if equal results are one row.
    """

    keys: tuple[SortKey, ...]
    tie_breaker: int | str


@dataclass(frozen=True)
class Sorting:
    """The order of rows.

    Attributes:
        descending: Whether the highest value is first, for each key. Tie-breakers have the
            direction of the first key, as SDKs expect when they resume a query.
    """

    descending: tuple[bool, ...] = ()

    def sort(self, rows: list[Row]) -> None:
        """Sort rows in place."""
        rows.sort(key=lambda row: row[0].tie_breaker, reverse=self._is_tie_descending)
        for nth, descending in reversed(list(enumerate(self.descending))):
            rows.sort(key=lambda row: row[0].keys[nth], reverse=descending)

    def after(self, rows: list[Row], position: RowPosition) -> list[Row]:
        """Return the sorted rows after a position, whether or not it has a row."""
        return rows[bisect_right(rows, 0, key=lambda row: self._compare(row[0], position)) :]

    def _compare(self, one: RowPosition, other: RowPosition) -> int:
        for mine, theirs, descending in zip(one.keys, other.keys, self.descending, strict=True):
            if mine != theirs:
                return 1 if (mine > theirs) != descending else -1
        if one.tie_breaker == other.tie_breaker:
            return 0
        return 1 if (one.tie_breaker > other.tie_breaker) != self._is_tie_descending else -1  # type: ignore[operator] # of one type

    @property
    def _is_tie_descending(self) -> bool:
        return self.descending[:1] == (True,)
