"""The items of one container in an SQLite table."""

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
    """A row of the table; a tuple, because SQLite returns thousands of them per second.

    Attributes:
        number: The number of the item, ascending in the order of creation.
        key: The partition key, as `PartitionKey.text`.
        id: The id of the item.
        partition: The id of the physical partition.
        epk: The effective partition key.
        lsn: The LSN of the last change.
        etag: The ETag.
        ts: The second of the last change, since 1970.
        ttl: The time to live of the item in seconds, None for that of the container.
        body: The JSON text with the properties that the service adds.
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
        """Return whether the item has expired, so that it counts as deleted.

        Args:
            default_ttl: The time to live of the container; without one, no item expires.
            now: The seconds since 1970.
        """
        if default_ttl is None:
            return False
        ttl = default_ttl if self.ttl is None else self.ttl
        return ttl != -1 and self.ts + ttl <= now


@dataclass(frozen=True, kw_only=True)
class Scan:
    """A selection of items of one physical partition, sorted by a column and then by number.

    Attributes:
        partition: The id of the physical partition.
        conditions: The conditions on the items; each is a column, an operator and a value.
        order: The column to sort by.
        descending: Whether both the column and the number descend.
        after: The column and number after which the selection starts, None for all items.
    """

    partition: str
    conditions: tuple[Condition, ...] = ()
    order: Order = "number"
    descending: bool = False
    after: tuple[Any, int] | None = None

    @property
    def statement(self) -> tuple[str, list[Any]]:
        """The SQL statement for the table `items`, and its values.

        The plus sign stops SQLite from using the index of the change feed, which has another order.
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

    def matches(self, item: Item) -> bool:
        """Return whether the scan selects an item, whatever its partition."""
        sort_key, after = self.sort_key(item), self.after
        if after is not None and not (sort_key < after if self.descending else sort_key > after):
            return False
        return all(
            _OPERATORS[symbol](getattr(item, column), value)
            for column, symbol, value in self.conditions
        )

    def sort_key(self, item: Item) -> tuple[Any, int]:
        """Return the column and number by which the scan sorts an item."""
        return getattr(item, self.order), item.number

    def _bounds(self) -> tuple[Condition, ...]:
        """Return the condition on the column that `after` implies, so that its index is used."""
        if self.after is None:
            return ()
        return ((self.order, "<=" if self.descending else ">=", self.after[0]),)


class ItemTable:
    """The items of one container; all writes need a `Storage.transaction`."""

    def __init__(self, db: sqlite3.Connection, container: int) -> None:
        self._db = db
        self._name = f"items_{container}"
        self._insert, self._update = self._named(_INSERT), self._named(_UPDATE)
        self._find, self._changes = self._named(_FIND), self._named(_CHANGES)
        self._next: int | None = None

    def create(self) -> None:
        """Create the table."""
        self._db.execute(self._named(_CREATE))
        self._db.execute(self._named(_CREATE_FEED))

    def drop(self) -> None:
        """Drop the table with all items."""
        self._db.execute(self._named("DROP TABLE items"))

    def new_number(self) -> int:
        """Return a number that no item has or had."""
        if self._next is None:
            row = self._db.execute(self._named(_NEXT)).fetchone()
            self._next = row[0] if row else 1
        self._next += 1
        return self._next - 1

    def find(self, key: str, item_id: str) -> Item | None:
        """Return the item with the given partition key and id, None if there is none."""
        row = self._db.execute(self._find, (key, item_id)).fetchone()
        return Item._make(row) if row else None

    def id_of(self, number: int) -> str | None:
        """Return the id of the item with the given number, None if there is none."""
        row = self._db.execute(self._named("SELECT id FROM items WHERE number = ?"), (number,))
        return next((item_id for (item_id,) in row), None)

    def insert(self, item: Item) -> None:
        """Store a new item."""
        self._db.execute(self._insert, item)

    def update(self, item: Item) -> None:
        """Replace the item that has the same number, key and id."""
        values = (item.lsn, item.etag, item.ts, item.ttl, item.body, item.number)
        self._db.execute(self._update, values)

    def rename(self, number: int, item_id: str) -> None:
        """Change the id of an item."""
        self._db.execute(self._named("UPDATE items SET id = ? WHERE number = ?"), (item_id, number))

    def remove(self, number: int) -> None:
        """Remove an item."""
        self._db.execute(self._named("DELETE FROM items WHERE number = ?"), (number,))

    def move(self, source: str, target: str, minimum: str, maximum: str) -> None:
        """Move the items of a key range to another physical partition."""
        self._db.execute(
            self._named(
                "UPDATE items SET partition = ? WHERE partition = ? AND epk >= ? AND epk < ?"
            ),
            (target, source, minimum, maximum),
        )

    def count(self) -> int:
        """Return the number of items; expired ones count until a write removes them."""
        count: int = self._db.execute(self._named("SELECT COUNT(*) FROM items")).fetchone()[0]
        return count

    def sizes(self) -> dict[str, tuple[int, int]]:
        """Return the number of items and bytes in each physical partition."""
        rows = self._db.execute(self._named(_SIZES))
        return {partition: (count, size) for partition, count, size in rows}

    def scan(self, scan: Scan) -> Iterator[Item]:
        """Return the items of a scan, in its order."""
        statement, values = scan.statement
        return map(Item._make, self._db.execute(self._named(statement), values))

    def changes(self, partition: str, *, after: int) -> Iterator[Item]:
        """Return the items of a physical partition in the order of their last change."""
        return map(Item._make, self._db.execute(self._changes, (partition, after)))

    def _named(self, statement: str) -> str:
        return statement.replace("items", self._name)
