"""The stored state in SQLite: databases, containers and physical partitions."""

from __future__ import annotations

import json
import sqlite3
from contextlib import contextmanager, suppress
from dataclasses import astuple, dataclass
from typing import TYPE_CHECKING, Any, Literal

from local.cosmos.errors import StorageError
from local.cosmos.partitions import KeyRange
from local.cosmos.table import ItemTable
from local.cosmos.throughput import Throughput

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Kind = Literal["databases", "containers"]

_VERSION = 3
_SCHEMA = f"""
CREATE TABLE IF NOT EXISTS databases (
    number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT UNIQUE NOT NULL,
    throughput TEXT, ts INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS containers (
    number INTEGER PRIMARY KEY AUTOINCREMENT, database INTEGER NOT NULL, id TEXT NOT NULL,
    definition TEXT NOT NULL, throughput TEXT, ts INTEGER NOT NULL, UNIQUE (database, id));
CREATE TABLE IF NOT EXISTS partitions (
    container INTEGER NOT NULL, id TEXT NOT NULL, minimum TEXT NOT NULL, maximum TEXT NOT NULL,
    parents TEXT NOT NULL, lsn INTEGER NOT NULL, PRIMARY KEY (container, id));
PRAGMA user_version = {_VERSION};
"""
_PRAGMAS = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = NORMAL;
PRAGMA temp_store = MEMORY;
"""


@dataclass(frozen=True, kw_only=True)
class ContainerRow:
    """A container as it is stored.

    Attributes:
        number: The number of the container.
        database: The number of its database.
        definition: The definition that the service returns.
        throughput: The throughput, None for none.
        ts: The second of its creation, since 1970.
    """

    number: int
    database: int
    definition: dict[str, Any]
    throughput: Throughput | None
    ts: int


class Storage:
    """Synchronous access to the stored state; committed writes survive if the process is killed.

    Attributes:
        problem: The reason why nothing can be stored, None if the last write succeeded.

    Args:
        folder: The folder of the database file, None to keep the state in memory.

    Raises:
        OSError: If the folder cannot be used, or another process uses it.
    """

    def __init__(self, folder: Path | None) -> None:
        self._target = ":memory:"
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            self._target = str(folder / "cosmos.sqlite3")
        self.problem: str | None = None
        self._db = sqlite3.connect(
            self._target, isolation_level=None, timeout=1, cached_statements=512
        )
        try:
            self._open()
        except sqlite3.Error as error:
            self._db.close()
            raise OSError(
                f"{self._target} cannot be used: {error}. Check that no other process uses it, and "
                "that its disk is not full."
            ) from None
        except OSError:
            self._db.close()
            raise

    def close(self) -> None:
        """Close the database file."""
        self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Store all writes of the block, or none if it raises.

        Raises:
            StorageError: 503, if SQLite cannot store them.
        """
        try:
            self._db.execute("BEGIN IMMEDIATE")
            yield
            self._db.execute("COMMIT")
        except BaseException as error:
            self._roll_back()
            if isinstance(error, sqlite3.Error):
                raise self._storage_error(error) from error
            raise
        self.problem = None

    def databases(self) -> list[tuple[int, str, Throughput | None, int]]:
        """Return the number, id, throughput and creation time of each database."""
        rows = self._db.execute("SELECT number, id, throughput, ts FROM databases ORDER BY number")
        return [(number, name, _throughput(text), ts) for number, name, text, ts in rows]

    def add_database(self, name: str, throughput: Throughput | None, ts: int) -> int:
        """Store a database and return its number."""
        with self.transaction():
            return self._insert(
                "INSERT INTO databases (id, throughput, ts) VALUES (?, ?, ?)",
                (name, _throughput_text(throughput), ts),
            )

    def set_throughput(self, kind: Kind, number: int, throughput: Throughput) -> None:
        """Store the throughput of a database or a container."""
        with self.transaction():
            self._db.execute(
                f"UPDATE {kind} SET throughput = ? WHERE number = ?",  # noqa: S608 - one of two names
                (_throughput_text(throughput), number),
            )

    def remove_database(self, number: int) -> None:
        """Remove a database without containers."""
        self._db.execute("DELETE FROM databases WHERE number = ?", (number,))

    def containers(self) -> list[ContainerRow]:
        """Return all containers."""
        rows = self._db.execute(
            "SELECT number, database, definition, throughput, ts FROM containers ORDER BY number"
        )
        return [
            ContainerRow(
                number=number,
                database=database,
                definition=json.loads(definition),
                throughput=_throughput(text),
                ts=ts,
            )
            for number, database, definition, text, ts in rows
        ]

    def add_container(
        self, database: int, definition: dict[str, Any], throughput: Throughput | None, ts: int
    ) -> ContainerRow:
        """Store a container, and create the table of its items."""
        number = self._insert(
            "INSERT INTO containers (database, id, definition, throughput, ts) "
            "VALUES (?, ?, ?, ?, ?)",
            (database, definition["id"], json.dumps(definition), _throughput_text(throughput), ts),
        )
        self.table(number).create()
        return ContainerRow(
            number=number, database=database, definition=definition, throughput=throughput, ts=ts
        )

    def change_container(self, number: int, definition: dict[str, Any]) -> None:
        """Store a new definition of a container."""
        with self.transaction():
            self._db.execute(
                "UPDATE containers SET definition = ? WHERE number = ?",
                (json.dumps(definition), number),
            )

    def remove_container(self, number: int) -> None:
        """Remove a container with its items."""
        self.table(number).drop()
        self._db.execute("DELETE FROM partitions WHERE container = ?", (number,))
        self._db.execute("DELETE FROM containers WHERE number = ?", (number,))

    def table(self, container: int) -> ItemTable:
        """Return the table of a container's items."""
        return ItemTable(self._db, container)

    def partitions(self, container: int) -> list[tuple[KeyRange, int]]:
        """Return the key ranges and last LSNs of a container's physical partitions."""
        rows = self._db.execute(
            "SELECT id, minimum, maximum, parents, lsn FROM partitions WHERE container = ? "
            "ORDER BY minimum",
            (container,),
        )
        return [
            (
                KeyRange(id=row[0], minimum=row[1], maximum=row[2], parents=tuple(row[3].split())),
                row[4],
            )
            for row in rows
        ]

    def add_partition(self, container: int, key_range: KeyRange, lsn: int = 0) -> None:
        """Store a physical partition with its key range and last LSN."""
        self._db.execute(
            "INSERT INTO partitions VALUES (?, ?, ?, ?, ?, ?)",
            (
                *(container, key_range.id, key_range.minimum, key_range.maximum),
                *(" ".join(key_range.parents), lsn),
            ),
        )

    def remove_partition(self, container: int, partition: str) -> None:
        """Remove a physical partition whose items have been moved."""
        self._db.execute(
            "DELETE FROM partitions WHERE container = ? AND id = ?", (container, partition)
        )

    def set_lsn(self, container: int, partition: str, lsn: int) -> None:
        """Store the last LSN of a physical partition."""
        self._db.execute(
            "UPDATE partitions SET lsn = ? WHERE container = ? AND id = ?",
            (lsn, container, partition),
        )

    def _open(self) -> None:
        """Open the file, even if it cannot grow: nothing is written to an existing file.

        With the exclusive lock, SQLite recovers the WAL of a killed process in memory.
        """
        self._db.execute("PRAGMA locking_mode = EXCLUSIVE")
        version = self._db.execute("PRAGMA user_version").fetchone()[0]
        if version not in (0, _VERSION):
            raise OSError(
                f"{self._target} has the format of another version of this project: delete it."
            )
        self._db.executescript(_PRAGMAS)
        if version == 0:
            self._db.executescript(_SCHEMA)
        with suppress(StorageError):
            self._test_write()

    def _test_write(self) -> None:
        with self.transaction():
            self._db.execute(f"PRAGMA user_version = {_VERSION}")

    def _roll_back(self) -> None:
        """Roll back the transaction, unless SQLite has done so, as it does on a full disk."""
        if self._db.in_transaction:
            self._db.execute("ROLLBACK")

    def _storage_error(self, error: sqlite3.Error) -> StorageError:
        self.problem = (
            f"Nothing can be stored in {self._target}: {error}. Reads are served. Free disk space, "
            "then write again."
        )
        return StorageError(self.problem)

    def _insert(self, statement: str, values: tuple[object, ...]) -> int:
        number = self._db.execute(statement, values).lastrowid
        if number is None:
            raise sqlite3.DatabaseError("SQLite returned no number for the new row.")
        return number


def _throughput_text(throughput: Throughput | None) -> str | None:
    return None if throughput is None else json.dumps(astuple(throughput))


def _throughput(text: str | None) -> Throughput | None:
    return None if text is None else Throughput(*json.loads(text))
