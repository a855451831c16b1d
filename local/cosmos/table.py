"""The items of one container in SQLite: a table for each container."""

from __future__ import annotations

import operator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterator, Mapping

    Column = Literal["key", "epk", "id", "ts", "number"]
    Condition = tuple[Column, str, Any]
    Order = Literal["number", "id", "ts"]

_CREATE = """
CREATE TABLE items (
    number INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL, id TEXT NOT NULL,
    partition TEXT NOT NULL, epk TEXT NOT NULL, lsn INTEGER NOT NULL, etag TEXT NOT NULL,
    ts INTEGER NOT NULL, ttl INTEGER, body TEXT NOT NULL, UNIQUE (key, id))
"""
_CREATE_FEED = "CREATE INDEX items_feed ON items (partition, lsn)"
_NEXT = "SELECT seq + 1 FROM sqlite_sequence WHERE name = 'items'"
_INSERT = "INSERT INTO items VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_UPDATE = "UPDATE items SET lsn = ?, etag = ?, ts = ?, ttl = ?, body = ? WHERE number = ?"
_FIND = "SELECT * FROM items WHERE key = ? AND id = ?"
_CHANGES = (
    "SELECT * FROM items INDEXED BY items_feed WHERE partition = ? AND lsn > ? ORDER BY lsn, number"
)

_SIZES = "SELECT partition, COUNT(*), SUM(LENGTH(body)) FROM items GROUP BY partition"

_OPERATORS: Mapping[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


class Item(NamedTuple):
    """A row of the table; a tuple, as thousands a second come out of SQLite.

    Attributes:
        number: The item's own, ascending in the order of creation.
        key: Partition key, as `partitions.Key.text`.
        partition: Id of the physical partition.
        ts: Second of the last change, since 1970.
        ttl: Seconds to live that the item itself asks for.
        body: JSON text with the service's properties.
    """

    number: int
    key: str
    id: str
    partition: str
    epk: str
    lsn: int
    etag: str
    ts: int
    ttl: int | None
    body: str

    def is_expired(self, default_ttl: int | None, now: float) -> bool:
        """Whether its time to live is over, which makes it as good as deleted.

        Args:
            default_ttl: The container's; without one, items live for ever whatever they ask for.
            now: Seconds since 1970.
        """
        if default_ttl is None:
            return False
        ttl = default_ttl if self.ttl is None else self.ttl
        return ttl != -1 and self.ts + ttl <= now


@dataclass(frozen=True, kw_only=True)
class Scan:
    """Items of one physical partition, sorted by a column and then by number.

    Attributes:
        partition: The id of the physical partition.
        conditions: What holds for the items: a column, an operator, a value.
        order: The column.
        descending: Whether both the column and the number descend.
        after: The values of column and number to begin after, None for all items.
    """

    partition: str
    conditions: tuple[Condition, ...] = ()
    order: Order = "number"
    descending: bool = False
    after: tuple[Any, int] | None = None

    @property
    def statement(self) -> tuple[str, list[Any]]:
        """The SQL statement over the table `items`, and its values.

        The plus keeps SQLite from the index of the change feed, which has another order.
        """
        terms: list[str] = ["+partition = ?"]
        values: list[Any] = [self.partition]
        for column, symbol, value in (*self.conditions, *self._bounds()):
            terms.append(f"{column} {symbol} ?")
            values.append(value)
        if self.after is not None:
            terms.append(f"({self.order}, number) {'<' if self.descending else '>'} (?, ?)")
            values += self.after
        direction = " DESC" if self.descending else ""
        order = ", ".join(
            f"{column}{direction}" for column in dict.fromkeys((self.order, "number"))
        )
        return f"SELECT * FROM items WHERE {' AND '.join(terms)} ORDER BY {order}", values  # noqa: S608 - of constants

    def holds(self, item: Item) -> bool:
        """Return whether the scan finds an item, in whichever partition it was."""
        place, after = self.place(item), self.after
        if after is not None and not (place < after if self.descending else place > after):
            return False
        return all(
            _OPERATORS[symbol](getattr(item, column), value)
            for column, symbol, value in self.conditions
        )

    def place(self, item: Item) -> tuple[Any, int]:
        """Return what the scan sorts an item by."""
        return getattr(item, self.order), item.number

    def _bounds(self) -> tuple[Condition, ...]:
        """Return what follows from `after` for the column alone, so that its index serves it."""
        if self.after is None:
            return ()
        return ((self.order, "<=" if self.descending else ">=", self.after[0]),)


class ItemTable:
    """The items of one container; writes belong into `Storage.transaction`."""

    def __init__(self, db: sqlite3.Connection, container: int) -> None:
        self._db = db
        self._name = f"items_{container}"
        self._insert, self._update = self._named(_INSERT), self._named(_UPDATE)
        self._find, self._changes = self._named(_FIND), self._named(_CHANGES)
        self._next: int | None = None

    def create(self) -> None:
        """Make the table."""
        self._db.execute(self._named(_CREATE))
        self._db.execute(self._named(_CREATE_FEED))

    def drop(self) -> None:
        """Remove the table with all items."""
        self._db.execute(self._named("DROP TABLE items"))

    def new_number(self) -> int:
        """A number that no item has, or ever had."""
        if self._next is None:
            row = self._db.execute(self._named(_NEXT)).fetchone()
            self._next = row[0] if row else 1
        self._next += 1
        return self._next - 1

    def find(self, key: str, item_id: str) -> Item | None:
        """The item of this partition key and id."""
        row = self._db.execute(self._find, (key, item_id)).fetchone()
        return Item._make(row) if row else None

    def id_of(self, number: int) -> str | None:
        """Return the id of the item of this number, None if there is no such item."""
        row = self._db.execute(self._named("SELECT id FROM items WHERE number = ?"), (number,))
        return next((item_id for (item_id,) in row), None)

    def insert(self, item: Item) -> None:
        """Store a new item."""
        self._db.execute(self._insert, item)

    def update(self, item: Item) -> None:
        """Store an item in place of the one of the same number, key and id."""
        values = (item.lsn, item.etag, item.ts, item.ttl, item.body, item.number)
        self._db.execute(self._update, values)

    def rename(self, number: int, item_id: str) -> None:
        """Give an item another id."""
        self._db.execute(self._named("UPDATE items SET id = ? WHERE number = ?"), (item_id, number))

    def remove(self, number: int) -> None:
        """Remove an item."""
        self._db.execute(self._named("DELETE FROM items WHERE number = ?"), (number,))

    def move(self, source: str, target: str, minimum: str, maximum: str) -> None:
        """Let another physical partition have the items of a key range."""
        self._db.execute(
            self._named(
                "UPDATE items SET partition = ? WHERE partition = ? AND epk >= ? AND epk < ?"
            ),
            (target, source, minimum, maximum),
        )

    def count(self) -> int:
        """How many items there are, expired ones included until something meets them."""
        count: int = self._db.execute(self._named("SELECT COUNT(*) FROM items")).fetchone()[0]
        return count

    def sizes(self) -> dict[str, tuple[int, int]]:
        """Return the number of items and of their bytes in each physical partition."""
        rows = self._db.execute(self._named(_SIZES))
        return {partition: (count, size) for partition, count, size in rows}

    def scan(self, scan: Scan) -> Iterator[Item]:
        """Return the items of a scan, in its order."""
        statement, values = scan.statement
        return map(Item._make, self._db.execute(self._named(statement), values))

    def changes(self, partition: str, *, after: int) -> Iterator[Item]:
        """Items of a physical partition in the order of their last change."""
        return map(Item._make, self._db.execute(self._changes, (partition, after)))

    def _named(self, statement: str) -> str:
        return statement.replace("items", self._name)
