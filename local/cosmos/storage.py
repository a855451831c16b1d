"""State in SQLite: databases, containers, physical partitions and items."""

from __future__ import annotations

import json
import sqlite3
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from local.cosmos.partitions import Range

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_SCHEMA = """
CREATE TABLE IF NOT EXISTS databases (
    number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT UNIQUE NOT NULL, ts INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS containers (
    number INTEGER PRIMARY KEY AUTOINCREMENT, database INTEGER NOT NULL, id TEXT NOT NULL,
    definition TEXT NOT NULL, throughput INTEGER, ts INTEGER NOT NULL, UNIQUE (database, id));
CREATE TABLE IF NOT EXISTS partitions (
    container INTEGER NOT NULL, id TEXT NOT NULL, minimum TEXT NOT NULL, maximum TEXT NOT NULL,
    lsn INTEGER NOT NULL, PRIMARY KEY (container, id));
CREATE TABLE IF NOT EXISTS items (
    number INTEGER PRIMARY KEY AUTOINCREMENT, container INTEGER NOT NULL, key TEXT NOT NULL,
    id TEXT NOT NULL, partition TEXT NOT NULL, epk TEXT NOT NULL, lsn INTEGER NOT NULL,
    etag TEXT NOT NULL, ts INTEGER NOT NULL, expires INTEGER, body TEXT NOT NULL,
    UNIQUE (container, key, id));
CREATE INDEX IF NOT EXISTS feed ON items (container, partition, lsn);
"""

_COLUMNS = "number, key, id, partition, epk, lsn, etag, ts, expires, body"


@dataclass(frozen=True)
class ContainerRow:
    """A container as stored; `definition` is what the service would echo."""

    number: int
    database: int
    id: str
    definition: dict[str, Any]
    throughput: int | None
    ts: int


@dataclass(frozen=True)
class Item:
    """An item as stored; `body` is its JSON text with the service's properties."""

    number: int
    key: str
    id: str
    partition: str
    epk: str
    lsn: int
    etag: str
    ts: int
    expires: int | None
    body: str


class Storage:
    """Synchronous access to the state; every call takes microseconds.

    Args:
        folder: Where to keep it; None for in memory.
    """

    def __init__(self, folder: Path | None) -> None:
        target = ":memory:"
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            target = str(folder / "cosmos.sqlite3")
        self._db = sqlite3.connect(target, isolation_level=None, cached_statements=256)
        self._db.executescript(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA temp_store = MEMORY;"
        )
        self._db.executescript(_SCHEMA)

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing of what is written inside."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def databases(self) -> list[tuple[int, str, int]]:
        """Number, id and time of every database."""
        return self._db.execute("SELECT number, id, ts FROM databases ORDER BY number").fetchall()

    def add_database(self, name: str, ts: int) -> int:
        """Store a database and return its number."""
        return self._insert("INSERT INTO databases (id, ts) VALUES (?, ?)", (name, ts))

    def remove_database(self, number: int) -> None:
        """Remove a database, which has no containers any more."""
        self._db.execute("DELETE FROM databases WHERE number = ?", (number,))

    def containers(self) -> list[ContainerRow]:
        """Every container."""
        rows = self._db.execute(
            "SELECT number, database, id, definition, throughput, ts FROM containers "
            "ORDER BY number"
        )
        return [
            ContainerRow(row[0], row[1], row[2], json.loads(row[3]), row[4], row[5]) for row in rows
        ]

    def add_container(
        self, database: int, name: str, definition: dict[str, Any], throughput: int | None, ts: int
    ) -> int:
        """Store a container and return its number."""
        return self._insert(
            "INSERT INTO containers (database, id, definition, throughput, ts) "
            "VALUES (?, ?, ?, ?, ?)",
            (database, name, json.dumps(definition), throughput, ts),
        )

    def change_container(self, number: int, definition: dict[str, Any]) -> None:
        """Store a container's new definition."""
        self._db.execute(
            "UPDATE containers SET definition = ? WHERE number = ?",
            (json.dumps(definition), number),
        )

    def remove_container(self, number: int) -> None:
        """Remove a container with all that is in it."""
        for table, column in (
            ("items", "container"),
            ("partitions", "container"),
            ("containers", "number"),
        ):
            self._db.execute(f"DELETE FROM {table} WHERE {column} = ?", (number,))  # noqa: S608 - constants

    def partitions(self, container: int) -> list[tuple[Range, int]]:
        """The container's physical partitions and the last LSN of each."""
        rows = self._db.execute(
            "SELECT id, minimum, maximum, lsn FROM partitions WHERE container = ? ORDER BY minimum",
            (container,),
        )
        return [(Range(id=row[0], minimum=row[1], maximum=row[2]), row[3]) for row in rows]

    def add_partition(self, container: int, partition: Range, lsn: int) -> None:
        """Store a physical partition."""
        self._db.execute(
            "INSERT INTO partitions VALUES (?, ?, ?, ?, ?)",
            (container, partition.id, partition.minimum, partition.maximum, lsn),
        )

    def set_lsn(self, container: int, partition: str, lsn: int) -> None:
        """Store the last LSN of a physical partition."""
        self._db.execute(
            "UPDATE partitions SET lsn = ? WHERE container = ? AND id = ?",
            (lsn, container, partition),
        )

    def item(self, container: int, key: str, item_id: str) -> Item | None:
        """The item of this partition key and id."""
        row = self._db.execute(
            f"SELECT {_COLUMNS} FROM items WHERE container = ? AND key = ? AND id = ?",  # noqa: S608 - constants
            (container, key, item_id),
        ).fetchone()
        return Item(*row) if row else None

    def next_number(self) -> int:
        """The number that the next new item will get."""
        row = self._db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'items'").fetchone()
        return int(row[0]) + 1 if row else 1

    def put(self, container: int, item: Item) -> None:
        """Store an item, in place of the one of the same number."""
        self._db.execute(
            f"INSERT OR REPLACE INTO items ({_COLUMNS}, container) "  # noqa: S608 - constants
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                *(item.number, item.key, item.id, item.partition, item.epk, item.lsn),
                *(item.etag, item.ts, item.expires, item.body, container),
            ),
        )

    def remove(self, number: int) -> None:
        """Remove an item."""
        self._db.execute("DELETE FROM items WHERE number = ?", (number,))

    def count(self, container: int) -> int:
        """How many items the container has."""
        query = "SELECT COUNT(*) FROM items WHERE container = ?"
        return int(self._db.execute(query, (container,)).fetchone()[0])

    def scan(self, container: int, *, after: int, key: str | None) -> Iterator[Item]:
        """Items in the order in which they were created, of one partition key or of all."""
        where, values = "container = ? AND number > ?", [container, after]
        if key is not None:
            where += " AND key = ?"
        rows = self._db.execute(
            f"SELECT {_COLUMNS} FROM items WHERE {where} ORDER BY number",  # noqa: S608 - constants
            [*values, key] if key is not None else values,
        )
        return (Item(*row) for row in rows)

    def changes(self, container: int, partition: str, *, after: int) -> Iterator[Item]:
        """Items of a physical partition in the order of their last change."""
        rows = self._db.execute(
            f"SELECT {_COLUMNS} FROM items INDEXED BY feed "  # noqa: S608 - constants
            "WHERE container = ? AND partition = ? AND lsn > ? ORDER BY lsn, number",
            (container, partition, after),
        )
        return (Item(*row) for row in rows)

    def _insert(self, statement: str, values: tuple[object, ...]) -> int:
        number = self._db.execute(statement, values).lastrowid
        if number is None:
            raise sqlite3.DatabaseError("SQLite gave the new row no number.")
        return number
