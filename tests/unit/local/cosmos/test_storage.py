"""State that cannot be stored: nothing is half done, in memory neither, and the reason is known."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from local.cosmos.account import Account
from local.cosmos.containers import Container
from local.cosmos.documents import Transaction
from local.cosmos.errors import StorageError
from local.cosmos.partitions import partition_key
from local.cosmos.preconditions import Preconditions
from local.cosmos.replicas import ReplicaLag
from local.cosmos.storage import Storage

DEFINITION = {"id": "c", "partitionKey": {"paths": ["/pk"]}}
KEY = partition_key("a")


class FailingConnection:
    """A connection whose statements of one kind fail."""

    def __init__(self, db: sqlite3.Connection, failing: str) -> None:
        self._db = db
        self._failing = failing

    def execute(self, statement: str, *values: Any) -> sqlite3.Cursor:
        """Fail, or execute the statement."""
        if statement.startswith(self._failing):
            raise sqlite3.OperationalError("disk I/O error")
        return self._db.execute(statement, *values)

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is open."""
        return self._db.in_transaction


@pytest.fixture
def storage(tmp_path: Path) -> Iterator[Storage]:
    opened = Storage(tmp_path)
    yield opened
    opened.close()


def account_of(storage: Storage) -> Account:
    return Account(
        storage,
        partitions=1,
        throughput=None,
        lag=ReplicaLag(0.0),
        multiple_write_locations=False,
    )


@pytest.fixture
def container(storage: Storage) -> Container:
    account = account_of(storage)
    return account.create_container(account.create_database("db", None), DEFINITION, None)


def upsert(container: Container, item_id: str, text: str = "") -> None:
    with Transaction(container, container.partitions[0]) as items:
        items.upsert(KEY, {"id": item_id, "pk": "a", "text": text}, Preconditions())


def limit_pages(storage: Storage, pages: int) -> None:
    """Let the file have at most so many pages more than it has."""
    used = storage._db.execute("PRAGMA page_count").fetchone()[0]
    storage._db.execute(f"PRAGMA max_page_count = {used + pages}")


def lsns(storage: Storage, container: Container) -> tuple[int, int]:
    """The last LSN in memory, and the stored one."""
    return container.partitions[0].lsn, storage.partitions(container.number)[0][1]


def test_a_full_disk_is_told_and_forgotten_when_there_is_room(
    storage: Storage, container: Container
) -> None:
    """503 for writes; reads go on, and the next write gets the LSN of the one that failed."""
    upsert(container, "1")
    limit_pages(storage, 2)

    with pytest.raises(StorageError, match=r"503 .*full.*Free disk space"):
        upsert(container, "2", "x" * 100_000)

    assert storage.problem is not None
    assert lsns(storage, container) == (1, 1)
    assert container.table.find(KEY.text, "1") is not None
    assert container.table.find(KEY.text, "2") is None

    limit_pages(storage, 1000)
    upsert(container, "2", "x" * 100_000)
    assert storage.problem is None
    assert lsns(storage, container) == (2, 2)


@pytest.mark.parametrize("failing", ["BEGIN", "UPDATE partitions", "COMMIT"])
def test_a_transaction_that_fails_anywhere_leaves_nothing(
    storage: Storage, container: Container, failing: str
) -> None:
    """Memory and file agree, and the next transaction is not inside of the failed one."""
    upsert(container, "1")
    db = storage._db
    storage._db = FailingConnection(db, failing)  # type: ignore[assignment] # stands in for it

    with pytest.raises(StorageError, match="disk I/O error"):
        upsert(container, "2")
    storage._db = db

    assert lsns(storage, container) == (1, 1)
    assert container.table.find(KEY.text, "2") is None
    upsert(container, "2")
    assert lsns(storage, container) == (2, 2)


def test_what_cannot_be_created_is_not_there(storage: Storage) -> None:
    """Neither databases nor containers."""
    account = account_of(storage)
    database = account.create_database("db", None)
    limit_pages(storage, 0)

    with suppress(StorageError):
        for number in range(1000):
            account.create_database(f"{number:0200}", None)
    assert 1 <= len(account.databases) <= 1000
    with pytest.raises(StorageError):
        account.create_container(database, DEFINITION, None)

    assert database.containers == {}
    assert set(account.databases) == {name for _, name, *_ in storage.databases()}


def test_a_split_that_cannot_be_stored_did_not_happen(
    storage: Storage, container: Container
) -> None:
    """The partition stays, and can be written to."""
    upsert(container, "1")
    db = storage._db
    storage._db = FailingConnection(db, "DELETE FROM partitions")  # type: ignore[assignment] # stands in

    with pytest.raises(StorageError):
        container.split("0")
    storage._db = db

    assert [partition.key_range.id for partition in container.partitions] == ["0"]
    upsert(container, "2")
    assert [row.id for row, _ in storage.partitions(container.number)] == ["0"]
