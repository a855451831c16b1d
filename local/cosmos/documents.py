"""What can be done to one item, inside a transaction of its physical partition."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from local.cosmos import charges
from local.cosmos.errors import bad_request, conflict, not_found, precondition_failed, too_large
from local.cosmos.patches import patched
from local.cosmos.rids import item_rid
from local.cosmos.storage import Item

if TYPE_CHECKING:
    from local.cosmos.account import Container, Partition
    from local.cosmos.storage import Storage

_LARGEST = 2 * 1024 * 1024
_LONGEST_ID = 1023
_SYSTEM = ("_rid", "_self", "_etag", "_attachments", "_ts")
_CREATED, _OK, _DELETED = 201, 200, 204


@dataclass(frozen=True, kw_only=True)
class Done:
    """What one operation answers; `body` is JSON text, None where there is none."""

    status: int
    charge: float
    body: str | None = None
    etag: str | None = None


@dataclass(frozen=True, kw_only=True)
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


ALWAYS = Conditions()


class Transaction:
    """Operations that share one LSN of one physical partition.

    Use inside `storage.transaction()`; nothing is visible to the change feed before `commit`.
    """

    def __init__(self, storage: Storage, container: Container, partition: Partition) -> None:
        self._storage = storage
        self._container = container
        self._partition = partition
        self._lsn = partition.lsn + 1
        self._now = int(time.time())
        self._wrote = False

    def commit(self) -> None:
        """Take the LSN, if anything was written."""
        if self._wrote:
            self._storage.set_lsn(self._container.number, self._partition.range.id, self._lsn)
            self._partition.lsn = self._lsn

    def read(self, key: str, item_id: str) -> Done:
        """The item as it is."""
        item = self._require(key, item_id)
        return Done(status=_OK, charge=charges.read(len(item.body)), body=item.body, etag=item.etag)

    def create(self, key: str, epk: str, document: dict[str, Any]) -> Done:
        """A new item."""
        item_id = checked_id(document)
        if self._current(key, item_id) is not None:
            raise conflict(f"Item {item_id!r}")
        return self._put(None, key, epk, document)

    def upsert(
        self, key: str, epk: str, document: dict[str, Any], conditions: Conditions = ALWAYS
    ) -> Done:
        """A new item, or a new version of the one that is there."""
        current = self._current(key, checked_id(document))
        conditions.check(current)
        return self._put(current, key, epk, document)

    def replace(
        self, key: str, item_id: str, document: dict[str, Any], conditions: Conditions = ALWAYS
    ) -> Done:
        """A new version of an item that is there."""
        current = self._require(key, item_id)
        conditions.check(current)
        if checked_id(document) != item_id:
            raise bad_request("An item's id cannot be changed.")
        return self._put(current, key, current.epk, document)

    def patch(
        self, key: str, item_id: str, operations: object, conditions: Conditions = ALWAYS
    ) -> Done:
        """A new version of an item with some properties changed."""
        current = self._require(key, item_id)
        conditions.check(current)
        return self._put(current, key, current.epk, patched(json.loads(current.body), operations))

    def delete(self, key: str, item_id: str, conditions: Conditions = ALWAYS) -> Done:
        """The item is gone; the change feed does not tell."""
        current = self._require(key, item_id)
        conditions.check(current)
        self._storage.remove(current.number)
        self._wrote = True
        indexed = charges.indexed_properties(self._container.policy, json.loads(current.body))
        return Done(status=_DELETED, charge=charges.write(len(current.body), indexed))

    def _current(self, key: str, item_id: str) -> Item | None:
        item = self._storage.item(self._container.number, key, item_id)
        if item is not None and is_expired(item, self._now):
            self._storage.remove(item.number)
            return None
        return item

    def _require(self, key: str, item_id: str) -> Item:
        item = self._current(key, item_id)
        if item is None:
            raise not_found(f"Item {item_id!r}")
        return item

    def _put(self, current: Item | None, key: str, epk: str, document: dict[str, Any]) -> Done:
        number = current.number if current else self._storage.next_number()
        etag = f'"{uuid4()}"'
        body = self._body(document, number, etag)
        size = len(body.encode())
        if size > _LARGEST:
            raise too_large("The item is over 2 MB.")
        self._storage.put(
            self._container.number,
            Item(
                number=number,
                key=key,
                id=document["id"],
                partition=self._partition.range.id,
                epk=epk,
                lsn=self._lsn,
                etag=etag,
                ts=self._now,
                expires=self._expires(document),
                body=body,
            ),
        )
        self._wrote = True
        indexed = charges.indexed_properties(self._container.policy, document)
        return Done(
            status=_OK if current else _CREATED,
            charge=charges.write(size, indexed, replaces=current is not None),
            body=body,
            etag=etag,
        )

    def _body(self, document: dict[str, Any], number: int, etag: str) -> str:
        container = self._container
        rid = item_rid(container.database.number, container.number, number)
        own = {name: value for name, value in document.items() if name not in _SYSTEM}
        system = {
            "_rid": rid,
            "_self": f"dbs/{container.database.rid}/colls/{container.rid}/docs/{rid}/",
            "_etag": etag,
            "_attachments": "attachments/",
            "_ts": self._now,
        }
        return json.dumps({**own, **system}, separators=(",", ":"), ensure_ascii=False)

    def _expires(self, document: dict[str, Any]) -> int | None:
        if self._container.default_ttl is None:
            return None
        ttl = document.get("ttl", self._container.default_ttl)
        return None if ttl == -1 else self._now + int(ttl)


def is_expired(item: Item, now: float) -> bool:
    """Whether the item's time to live is over; it is then as good as deleted."""
    return item.expires is not None and item.expires <= now


def checked_id(document: dict[str, Any]) -> str:
    """The document's id.

    Raises:
        ServiceError: 400.
    """
    item_id = document.get("id")
    if not isinstance(item_id, str) or not item_id:
        raise bad_request(
            "The input content is invalid because the required property 'id' is "
            "missing, empty or no text."
        )
    if len(item_id) > _LONGEST_ID or any(char in item_id for char in "/\\?#"):
        raise bad_request(f"An id has up to {_LONGEST_ID} characters and none of / \\ ? #.")
    return item_id


def key_of(container: Container, document: dict[str, Any]) -> Any:  # noqa: ANN401 - any JSON scalar
    """The document's partition key; `{}` where it has none."""
    value: Any = document
    for step in container.key_path:
        if not isinstance(value, dict) or step not in value:
            return {}
        value = value[step]
    if isinstance(value, (dict, list)):
        raise bad_request("A partition key is text, a number, true, false or null.")
    return value
