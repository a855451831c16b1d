"""Operations on the items of one physical partition, in one transaction."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from local.cosmos import charges
from local.cosmos.definitions import item_ttl
from local.cosmos.errors import bad_request, conflict, not_found, precondition_failed, too_large
from local.cosmos.ids import validate_item_id
from local.cosmos.jsontext import decode, encode
from local.cosmos.messages import CREATED, NO_CONTENT, OK
from local.cosmos.partitions import PARTITION_KEY_MISMATCH, partition_key_from_document
from local.cosmos.patches import apply_patch, condition_holds
from local.cosmos.preconditions import Preconditions
from local.cosmos.replicas import Change
from local.cosmos.rids import item_rid
from local.cosmos.table import Item

if TYPE_CHECKING:
    from collections.abc import Iterable
    from contextlib import AbstractContextManager
    from types import TracebackType

    from typing_extensions import Self

    from local.cosmos.containers import Container, Partition
    from local.cosmos.partitions import PartitionKey
    from local.cosmos.replicas import View

_MAX_ITEM_BYTES = 2 * 1024 * 1024
_SYSTEM = frozenset({"_rid", "_self", "_etag", "_attachments", "_ts", "_lsn"})


@dataclass(frozen=True)
class OperationResult:
    """The result of one operation.

    Attributes:
        status: The HTTP status.
        charge: The request charge in request units.
        body: The JSON text of the item, None without an item.
        etag: The ETag of the item, None without an item.
    """

    status: int
    charge: float
    body: str | None = None
    etag: str | None = None


class Transaction:
    """Operations that share one LSN of one physical partition; a context manager.

    They are stored when the block ends. If it raises, none is stored.
    """

    def __init__(self, container: Container, partition: Partition) -> None:
        self._container = container
        self._table = container.table
        self._partition = partition
        self._lsn = partition.lsn + 1
        self._now = int(time.time())
        self._writes = 0
        self._history = container.history
        self._changes: list[Change] = []
        self._scope: AbstractContextManager[None] = container.storage.transaction()

    def __enter__(self) -> Self:
        """Start the transaction."""
        self._scope.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Store all writes or none, and only then advance the LSN in memory."""
        self._scope.__exit__(kind, error, traceback)
        if kind is None and self._writes:
            self._partition.lsn = self._lsn
            if self._changes:
                self._history.record(self._changes)

    def read(self, key: PartitionKey, item_id: str) -> OperationResult:
        """Return an item."""
        return _read(self._current(key, item_id), item_id)

    def create(self, key: PartitionKey, document: dict[str, Any]) -> OperationResult:
        """Create an item."""
        item_id = self._validated_id(key, document)
        if self._current(key, item_id) is not None:
            raise conflict(f"Item {item_id!r}")
        return self._store(None, key, item_id, document)

    def upsert(
        self, key: PartitionKey, document: dict[str, Any], preconditions: Preconditions
    ) -> OperationResult:
        """Create an item, or replace it if it exists."""
        item_id = self._validated_id(key, document)
        current = self._current(key, item_id)
        if current is not None:
            preconditions.check_upsert(current)
        return self._store(current, key, item_id, document)

    def replace(
        self,
        key: PartitionKey,
        item_id: str,
        document: dict[str, Any],
        preconditions: Preconditions,
    ) -> OperationResult:
        """Replace an item; its id can change, its partition key cannot."""
        current = self._require(key, item_id)
        preconditions.check(current)
        new_id = self._validated_id(key, document)
        if new_id != item_id and self._current(key, new_id) is not None:
            raise conflict(f"Item {new_id!r}")
        return self._store(current, key, new_id, document)

    def patch(
        self, key: PartitionKey, item_id: str, changes: object, preconditions: Preconditions
    ) -> OperationResult:
        """Replace an item by a version with some properties changed.

        Args:
            key: The partition key.
            item_id: The id of the item.
            changes: A list of patch operations, or an object with `operations` and a `condition`.
            preconditions: The preconditions on its ETag.
        """
        current = self._require(key, item_id)
        preconditions.check(current)
        members = changes if isinstance(changes, dict) else {"operations": changes}
        before = _user_properties(decode(current.body))
        if not condition_holds(members.get("condition"), before):
            raise precondition_failed()
        document = apply_patch(before, members.get("operations"))
        if self._validated_id(key, document) != item_id:
            raise bad_request("A patch cannot change an item's id.")
        return self._store(current, key, item_id, document)

    def delete(
        self, key: PartitionKey, item_id: str, preconditions: Preconditions
    ) -> OperationResult:
        """Delete an item, which the change feed does not show."""
        current = self._require(key, item_id)
        preconditions.check(current)
        self._start_write()
        self._table.remove(current.number)
        self._record(current, current.number, key, item_id)
        terms = self._container.indexed_paths.count(_user_properties(decode(current.body)))
        return OperationResult(NO_CONTENT, charges.write(_size(current.body), terms))

    def delete_all(self, key: PartitionKey, items: Iterable[Item]) -> OperationResult:
        """Delete the given items; those that have expired cost nothing."""
        charge = sum(
            self.delete(key, item.id, Preconditions()).charge
            for item in items
            if not item.is_expired(self._container.default_ttl, self._now)
        )
        return OperationResult(OK, max(1.0, round(charge, 2)))

    def _current(self, key: PartitionKey, item_id: str) -> Item | None:
        item = self._table.find(key.text, item_id)
        if item is not None and item.is_expired(self._container.default_ttl, self._now):
            self._table.remove(item.number)
            return None
        return item

    def _require(self, key: PartitionKey, item_id: str) -> Item:
        item = self._current(key, item_id)
        if item is None:
            raise not_found(f"Item {item_id!r}", charge=charges.REJECTED_WRITE)
        return item

    def _validated_id(self, key: PartitionKey, document: dict[str, Any]) -> str:
        if partition_key_from_document(self._container.partition_key_path, document) != key:
            raise bad_request(
                "PartitionKey extracted from document doesn't match the one specified in the "
                "header.",
                sub_status=PARTITION_KEY_MISMATCH,
            )
        return validate_item_id(document)

    def _store(
        self, current: Item | None, key: PartitionKey, item_id: str, document: dict[str, Any]
    ) -> OperationResult:
        properties = _user_properties(document)
        text = encode(properties)[:-1]
        ttl = item_ttl(properties)
        number = self._table.new_number() if current is None else current.number
        etag = f'"{self._lsn:08x}-{self._writes:04x}-0700-0000-{self._now:08x}0000"'
        body, size = self._body(text, number, etag)
        self._start_write()
        self._record(current, number, key, item_id if current is None else current.id)
        item = Item(
            number=number,
            key=key.text,
            id=item_id,
            partition=self._partition.key_range.id,
            epk=key.epk,
            lsn=self._lsn,
            etag=etag,
            ts=self._now,
            ttl=ttl,
            body=body,
        )
        if current is None:
            self._table.insert(item)
            charge = charges.write(size, self._container.indexed_paths.count(properties))
            return OperationResult(CREATED, charge, body, etag)
        if item_id != current.id:
            self._table.rename(number, item_id)
            self._record(None, number, key, item_id)
        self._table.update(item)
        return OperationResult(
            OK, charges.replace(size, self._changed_terms(current, text, properties)), body, etag
        )

    def _changed_terms(self, current: Item, text: str, properties: dict[str, Any]) -> int:
        if current.body.startswith(f'{text},"_rid":"'):
            return 0
        return self._container.indexed_paths.count_changes(
            _user_properties(decode(current.body)), properties
        )

    def _start_write(self) -> None:
        """Store the LSN with the first write, so that both are rolled back together."""
        if not self._writes:
            self._container.storage.set_lsn(
                self._container.number, self._partition.key_range.id, self._lsn
            )
        self._writes += 1

    def _record(self, before: Item | None, number: int, key: PartitionKey, item_id: str) -> None:
        if self._history.is_recording:
            change = Change(self._lsn, key.epk, key.text, item_id, number, before)
            self._changes.append(change)

    def _body(self, text: str, number: int, etag: str) -> tuple[str, int]:
        rid = item_rid(self._container.rid_bytes, number)
        body = (
            f'{text},"_rid":"{rid}","_self":"{self._container.link}docs/{rid}/",'
            f'"_etag":"\\"{etag[1:-1]}\\"","_attachments":"attachments/","_ts":{self._now}}}'
        )
        size = _size(body)
        if size > _MAX_ITEM_BYTES:
            raise too_large()
        return body, size


def read_item(container: Container, view: View, key: PartitionKey, item_id: str) -> OperationResult:
    """Return an item as a replica has it.

    Raises:
        ServiceError: 404, if the replica does not have it.
    """
    item = view.find(key.text, item_id)
    is_expired = item is not None and item.is_expired(container.default_ttl, time.time())
    return _read(None if is_expired else item, item_id)


def _read(item: Item | None, item_id: str) -> OperationResult:
    if item is None:
        raise not_found(f"Item {item_id!r}")
    return OperationResult(OK, charges.read(_size(item.body)), item.body, item.etag)


def _user_properties(document: dict[str, Any]) -> dict[str, Any]:
    """Return a document without the properties that the service adds."""
    return {name: value for name, value in document.items() if name not in _SYSTEM}


def _size(text: str) -> int:
    """Return the number of bytes of a text in UTF-8."""
    return len(text) if text.isascii() else len(text.encode())
