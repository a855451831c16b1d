"""What can be done to the items of one physical partition, in one transaction."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from local.cosmos import charges
from local.cosmos.calls import CREATED, NO_CONTENT, OK
from local.cosmos.definitions import time_to_live
from local.cosmos.errors import bad_request, conflict, not_found, precondition_failed, too_large
from local.cosmos.jsontext import decode, encode
from local.cosmos.partitions import key_of_document
from local.cosmos.patches import holds, patched
from local.cosmos.replicas import Change
from local.cosmos.rids import item_rid
from local.cosmos.table import Item

if TYPE_CHECKING:
    from collections.abc import Iterable
    from contextlib import AbstractContextManager
    from types import TracebackType

    from typing_extensions import Self

    from local.cosmos.containers import Container, Partition
    from local.cosmos.partitions import Key
    from local.cosmos.replicas import View

_LARGEST = 2 * 1024 * 1024
_LONGEST_ID = 1023
_SYSTEM = frozenset({"_rid", "_self", "_etag", "_attachments", "_ts", "_lsn"})
_KEY_MISMATCH = 1001


@dataclass(frozen=True)
class Done:
    """What one operation answers; `body` is JSON text, None where there is none."""

    status: int
    charge: float
    body: str | None = None
    etag: str | None = None


@dataclass(frozen=True)
class Conditions:
    """Preconditions on the ETag of the item that is there."""

    if_match: str | None = None
    if_none_match: str | None = None

    def check(self, current: Item | None) -> None:
        """Let the operation go on.

        Raises:
            ServiceError: 412.
        """
        if self.if_match not in (None, "*") and (current is None or current.etag != self.if_match):
            raise precondition_failed()
        if current is not None and self.if_none_match in ("*", current.etag):
            raise precondition_failed()


class Transaction:
    """Operations that share one LSN of one physical partition; a context manager.

    All of them are stored when the block ends, and none if it raises.
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
        """Begin."""
        self._scope.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Store what was written, with its LSN, or nothing."""
        wrote = kind is None and self._writes > 0
        if wrote:
            self._container.storage.set_lsn(
                self._container.number, self._partition.range.id, self._lsn
            )
        self._scope.__exit__(kind, error, traceback)
        if wrote:
            self._partition.lsn = self._lsn
            self._history.record(self._changes)

    def read(self, key: Key, item_id: str) -> Done:
        """The item as it is."""
        return _read(self._current(key, item_id), item_id)

    def create(self, key: Key, document: dict[str, Any]) -> Done:
        """A new item."""
        item_id = self._checked(key, document)
        if self._current(key, item_id) is not None:
            raise conflict(f"Item {item_id!r}")
        return self._store(None, key, item_id, document)

    def upsert(self, key: Key, document: dict[str, Any], conditions: Conditions) -> Done:
        """A new item, or a new version of the one that is there."""
        item_id = self._checked(key, document)
        current = self._current(key, item_id)
        conditions.check(current)
        return self._store(current, key, item_id, document)

    def replace(
        self, key: Key, item_id: str, document: dict[str, Any], conditions: Conditions
    ) -> Done:
        """A new version of an item that is there."""
        current = self._require(key, item_id)
        conditions.check(current)
        if self._checked(key, document) != item_id:
            raise bad_request("An item's id cannot be changed.")
        return self._store(current, key, item_id, document)

    def patch(
        self, key: Key, item_id: str, request: dict[str, Any], conditions: Conditions
    ) -> Done:
        """A new version of an item with some properties changed."""
        current = self._require(key, item_id)
        conditions.check(current)
        before = _own(decode(current.body))
        if not holds(request.get("condition"), before):
            raise precondition_failed()
        document = patched(before, request.get("operations"))
        if self._checked(key, document) != item_id:
            raise bad_request("A patch cannot change an item's id.")
        return self._store(current, key, item_id, document)

    def delete(self, key: Key, item_id: str, conditions: Conditions) -> Done:
        """The item is gone; the change feed does not tell."""
        current = self._require(key, item_id)
        conditions.check(current)
        self._table.remove(current.number)
        self._record(current, current.number, key, item_id)
        self._writes += 1
        indexed = self._container.indexed_paths.count(_own(decode(current.body)))
        return Done(NO_CONTENT, charges.write(len(current.body), indexed))

    def delete_all(self, key: Key, items: Iterable[Item]) -> Done:
        """Delete the given items, those that have expired without a charge."""
        charge = sum(
            self.delete(key, item.id, Conditions()).charge
            for item in items
            if not item.is_expired(self._container.default_ttl, self._now)
        )
        return Done(OK, max(1.0, round(charge, 2)))

    def _current(self, key: Key, item_id: str) -> Item | None:
        item = self._table.find(key.text, item_id)
        if item is not None and item.is_expired(self._container.default_ttl, self._now):
            self._table.remove(item.number)
            return None
        return item

    def _require(self, key: Key, item_id: str) -> Item:
        item = self._current(key, item_id)
        if item is None:
            raise not_found(f"Item {item_id!r}")
        return item

    def _checked(self, key: Key, document: dict[str, Any]) -> str:
        if key_of_document(self._container.key_path, document) != key:
            raise bad_request(
                "The document has another partition key than the request.",
                sub_status=_KEY_MISMATCH,
            )
        return checked_id(document)

    def _store(
        self, current: Item | None, key: Key, item_id: str, document: dict[str, Any]
    ) -> Done:
        number = self._table.new_number() if current is None else current.number
        etag = self._new_etag()
        own = _own(document)
        body, size = self._body(own, number, etag)
        item = Item(
            number=number,
            key=key.text,
            id=item_id,
            partition=self._partition.range.id,
            epk=key.epk,
            lsn=self._lsn,
            etag=etag,
            ts=self._now,
            ttl=time_to_live(own, "ttl"),
            body=body,
        )
        indexed = self._container.indexed_paths.count(own)
        charge = charges.write(size, indexed, replaces=current is not None)
        self._record(current, number, key, item_id)
        if current is None:
            self._table.insert(item)
            return Done(CREATED, charge, body, etag)
        self._table.update(item)
        return Done(OK, charge, body, etag)

    def _record(self, before: Item | None, number: int, key: Key, item_id: str) -> None:
        if self._history.is_recording:
            change = Change(self._lsn, key.epk, key.text, item_id, number, before)
            self._changes.append(change)

    def _new_etag(self) -> str:
        """Unlike any other of this item: by LSN, and by place inside the transaction."""
        self._writes += 1
        return f'"{self._lsn:08x}-{self._writes:04x}-0700-0000-{self._now:08x}0000"'

    def _body(self, own: dict[str, Any], number: int, etag: str) -> tuple[str, int]:
        rid = item_rid(self._container.rid_bytes, number)
        body = (
            f'{encode(own)[:-1]},"_rid":"{rid}","_self":"{self._container.link}docs/{rid}/",'
            f'"_etag":"\\"{etag[1:-1]}\\"","_attachments":"attachments/","_ts":{self._now}}}'
        )
        size = len(body.encode())
        if size > _LARGEST:
            raise too_large("The item is over 2 MB.")
        return body, size


def read_item(container: Container, view: View, key: Key, item_id: str) -> Done:
    """Return the item that a replica has.

    Raises:
        ServiceError: 404, if it has none.
    """
    item = view.find(key.text, item_id)
    is_expired = item is not None and item.is_expired(container.default_ttl, time.time())
    return _read(None if is_expired else item, item_id)


def _read(item: Item | None, item_id: str) -> Done:
    if item is None:
        raise not_found(f"Item {item_id!r}")
    return Done(OK, charges.read(len(item.body)), item.body, item.etag)


def checked_id(document: dict[str, Any]) -> str:
    """The document's id.

    Raises:
        ServiceError: 400.
    """
    item_id = document.get("id")
    if not isinstance(item_id, str) or not item_id:
        raise bad_request("The required property 'id' is missing, empty or no text.")
    if len(item_id) > _LONGEST_ID or any(char in item_id for char in "/\\?#"):
        raise bad_request(f"An item's id has up to {_LONGEST_ID} characters, none of / \\ ? #.")
    return item_id


def _own(document: dict[str, Any]) -> dict[str, Any]:
    """The document without the service's properties."""
    return {name: value for name, value in document.items() if name not in _SYSTEM}
