"""What can be done to the items of one physical partition, in one transaction."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from local.cosmos import charges
from local.cosmos.definitions import item_ttl
from local.cosmos.errors import bad_request, conflict, not_found, precondition_failed, too_large
from local.cosmos.ids import item_id_of
from local.cosmos.jsontext import decode, encode
from local.cosmos.messages import CREATED, NO_CONTENT, OK
from local.cosmos.partitions import WRONG_KEY, key_of_document
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

_MAX_ITEM_BYTES = 2 * 1024 * 1024
_SYSTEM = frozenset({"_rid", "_self", "_etag", "_attachments", "_ts", "_lsn"})


@dataclass(frozen=True)
class Done:
    """What one operation answers; `body` is JSON text, None where there is none."""

    status: int
    charge: float
    body: str | None = None
    etag: str | None = None


@dataclass(frozen=True)
class Conditions:
    """Preconditions on the ETag of the item that is there.

    Creates ignore both, also those that an upsert leads to; replaces, patches and deletes ignore
    `If-None-Match` (RequestOptions of the .NET SDK).
    """

    if_match: str | None = None
    if_none_match: str | None = None

    def check(self, current: Item) -> None:
        """Let a replace, patch or delete continue.

        Raises:
            ServiceError: 412.
        """
        if self.if_match not in (None, "*", current.etag):
            raise precondition_failed()

    def check_upsert(self, current: Item) -> None:
        """Let an upsert of an item that exists continue.

        Raises:
            ServiceError: 412.
        """
        self.check(current)
        if self.if_none_match in ("*", current.etag):
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
        """Store what was written, or nothing; only then is the LSN taken in memory."""
        self._scope.__exit__(kind, error, traceback)
        if kind is None and self._writes:
            self._partition.lsn = self._lsn
            if self._changes:
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
        if current is not None:
            conditions.check_upsert(current)
        return self._store(current, key, item_id, document)

    def replace(
        self, key: Key, item_id: str, document: dict[str, Any], conditions: Conditions
    ) -> Done:
        """A new version of an item that is there; it may get another id, but no other key."""
        current = self._require(key, item_id)
        conditions.check(current)
        new_id = self._checked(key, document)
        if new_id != item_id and self._current(key, new_id) is not None:
            raise conflict(f"Item {new_id!r}")
        return self._store(current, key, new_id, document)

    def patch(self, key: Key, item_id: str, request: object, conditions: Conditions) -> Done:
        """A new version of an item with some properties changed.

        Args:
            key: The partition key.
            item_id: The item.
            request: Operations as a list, or an object of `operations` and a `condition`.
            conditions: Preconditions.
        """
        current = self._require(key, item_id)
        conditions.check(current)
        members = request if isinstance(request, dict) else {"operations": request}
        before = _own(decode(current.body))
        if not holds(members.get("condition"), before):
            raise precondition_failed()
        document = patched(before, members.get("operations"))
        if self._checked(key, document) != item_id:
            raise bad_request("A patch cannot change an item's id.")
        return self._store(current, key, item_id, document)

    def delete(self, key: Key, item_id: str, conditions: Conditions) -> Done:
        """The item is gone; the change feed does not tell."""
        current = self._require(key, item_id)
        conditions.check(current)
        self._begin_write()
        self._table.remove(current.number)
        self._record(current, current.number, key, item_id)
        terms = self._container.indexed_paths.count(_own(decode(current.body)))
        return Done(NO_CONTENT, charges.write(_size(current.body), terms))

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
            raise not_found(f"Item {item_id!r}", charge=charges.REFUSED_WRITE)
        return item

    def _checked(self, key: Key, document: dict[str, Any]) -> str:
        if key_of_document(self._container.key_path, document) != key:
            raise bad_request(
                "PartitionKey extracted from document doesn't match the one specified in the "
                "header.",
                sub_status=WRONG_KEY,
            )
        return item_id_of(document)

    def _store(
        self, current: Item | None, key: Key, item_id: str, document: dict[str, Any]
    ) -> Done:
        own = _own(document)
        text = encode(own)[:-1]
        ttl = item_ttl(own)
        number = self._table.new_number() if current is None else current.number
        etag = f'"{self._lsn:08x}-{self._writes:04x}-0700-0000-{self._now:08x}0000"'
        body, size = self._body(text, number, etag)
        self._begin_write()
        self._record(current, number, key, item_id if current is None else current.id)
        item = Item(
            number=number,
            key=key.text,
            id=item_id,
            partition=self._partition.range.id,
            epk=key.epk,
            lsn=self._lsn,
            etag=etag,
            ts=self._now,
            ttl=ttl,
            body=body,
        )
        if current is None:
            self._table.insert(item)
            charge = charges.write(size, self._container.indexed_paths.count(own))
            return Done(CREATED, charge, body, etag)
        if item_id != current.id:
            self._table.rename(number, item_id)
            self._record(None, number, key, item_id)
        self._table.update(item)
        return Done(OK, charges.replace(size, self._changed_terms(current, text, own)), body, etag)

    def _changed_terms(self, current: Item, text: str, own: dict[str, Any]) -> int:
        if current.body.startswith(f'{text},"_rid":"'):
            return 0
        return self._container.indexed_paths.count_changes(_own(decode(current.body)), own)

    def _begin_write(self) -> None:
        """Take the LSN with the first write, so that it is stored or rolled back with it."""
        if not self._writes:
            self._container.storage.set_lsn(
                self._container.number, self._partition.range.id, self._lsn
            )
        self._writes += 1

    def _record(self, before: Item | None, number: int, key: Key, item_id: str) -> None:
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
    return Done(OK, charges.read(_size(item.body)), item.body, item.etag)


def _own(document: dict[str, Any]) -> dict[str, Any]:
    """The document without the service's properties."""
    return {name: value for name, value in document.items() if name not in _SYSTEM}


def _size(text: str) -> int:
    """Return the bytes of text in UTF-8."""
    return len(text) if text.isascii() else len(text.encode())
