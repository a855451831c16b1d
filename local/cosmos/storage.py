"""State in SQLite: databases, containers and physical partitions, and where the items are."""

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
    """A container as stored; `definition` is what the service would echo."""

    number: int
    database: int
    definition: dict[str, Any]
    throughput: Throughput | None
    ts: int


class Storage:
    """Synchronous access to the state; a process that is killed loses nothing it acknowledged.

    Attributes:
        problem: Why nothing can be stored at the moment, None if the last attempt succeeded.

    Args:
        folder: Where to keep it; None for in memory.

    Raises:
        OSError: The folder cannot be used, or another process uses it.
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
                f"{self._target} cannot be used: {error}. Perhaps another process uses it, or its "
                "disk is full."
            ) from None
        except OSError:
            self._db.close()
            raise

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing of what is written inside.

        Raises:
            StorageError: 503, if SQLite cannot store it.
        """
        try:
            self._db.execute("BEGIN IMMEDIATE")
            yield
            self._db.execute("COMMIT")
        except BaseException as error:
            self._roll_back()
            if isinstance(error, sqlite3.Error):
                raise self._cannot_store(error) from error
            raise
        self.problem = None

    def databases(self) -> list[tuple[int, str, Throughput | None, int]]:
        """Return number, id, throughput and time of every database."""
        rows = self._db.execute("SELECT number, id, throughput, ts FROM databases ORDER BY number")
        return [(number, name, _throughput(text), ts) for number, name, text, ts in rows]

    def add_database(self, name: str, throughput: Throughput | None, ts: int) -> int:
        """Store a database and return its number."""
        with self.transaction():
            return self._insert(
                "INSERT INTO databases (id, throughput, ts) VALUES (?, ?, ?)",
                (name, _text(throughput), ts),
            )

    def set_throughput(self, kind: Kind, number: int, throughput: Throughput) -> None:
        """Store the throughput of a database or a container."""
        with self.transaction():
            self._db.execute(
                f"UPDATE {kind} SET throughput = ? WHERE number = ?",  # noqa: S608 - one of two names
                (_text(throughput), number),
            )

    def remove_database(self, number: int) -> None:
        """Remove a database, which has no containers any more."""
        self._db.execute("DELETE FROM databases WHERE number = ?", (number,))

    def containers(self) -> list[ContainerRow]:
        """Every container."""
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
        """Store a container and the table of its items."""
        number = self._insert(
            "INSERT INTO containers (database, id, definition, throughput, ts) "
            "VALUES (?, ?, ?, ?, ?)",
            (database, definition["id"], json.dumps(definition), _text(throughput), ts),
        )
        self.table(number).create()
        return ContainerRow(
            number=number, database=database, definition=definition, throughput=throughput, ts=ts
        )

    def change_container(self, number: int, definition: dict[str, Any]) -> None:
        """Store a container's new definition."""
        with self.transaction():
            self._db.execute(
                "UPDATE containers SET definition = ? WHERE number = ?",
                (json.dumps(definition), number),
            )

    def remove_container(self, number: int) -> None:
        """Remove a container with all that is in it."""
        self.table(number).drop()
        self._db.execute("DELETE FROM partitions WHERE container = ?", (number,))
        self._db.execute("DELETE FROM containers WHERE number = ?", (number,))

    def table(self, container: int) -> ItemTable:
        """The items of a container."""
        return ItemTable(self._db, container)

    def partitions(self, container: int) -> list[tuple[KeyRange, int]]:
        """The container's physical partitions and the last LSN of each."""
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

    def add_partition(self, container: int, partition: KeyRange, lsn: int = 0) -> None:
        """Store a physical partition whose last transaction is `lsn`."""
        self._db.execute(
            "INSERT INTO partitions VALUES (?, ?, ?, ?, ?, ?)",
            (
                *(container, partition.id, partition.minimum, partition.maximum),
                *(" ".join(partition.parents), lsn),
            ),
        )

    def remove_partition(self, container: int, partition: str) -> None:
        """Remove a physical partition, whose items lie elsewhere by now."""
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
        """Open the file, also where it cannot grow: no statement writes to one that exists.

        With the exclusive lock SQLite recovers the WAL of a killed process in memory.
        """
        self._db.execute("PRAGMA locking_mode = EXCLUSIVE")
        version = self._db.execute("PRAGMA user_version").fetchone()[0]
        if version not in (0, _VERSION):
            raise OSError(
                f"{self._target} was written by another version of the project: delete it."
            )
        self._db.executescript(_PRAGMAS)
        if version == 0:
            self._db.executescript(_SCHEMA)
        with suppress(StorageError):
            self._try_to_write()

    def _try_to_write(self) -> None:
        with self.transaction():
            self._db.execute(f"PRAGMA user_version = {_VERSION}")

    def _roll_back(self) -> None:
        """Undo the transaction, unless SQLite has done so itself, as it does on a full disk."""
        if self._db.in_transaction:
            self._db.execute("ROLLBACK")

    def _cannot_store(self, error: sqlite3.Error) -> StorageError:
        self.problem = (
            f"Nothing can be stored in {self._target}: {error}. Reads are served. Free disk space, "
            "then write again."
        )
        return StorageError(self.problem)

    def _insert(self, statement: str, values: tuple[object, ...]) -> int:
        number = self._db.execute(statement, values).lastrowid
        if number is None:
            raise sqlite3.DatabaseError("SQLite gave the new row no number.")
        return number


def _text(throughput: Throughput | None) -> str | None:
    return None if throughput is None else json.dumps(astuple(throughput))


def _throughput(text: str | None) -> Throughput | None:
    return None if text is None else Throughput(*json.loads(text))
