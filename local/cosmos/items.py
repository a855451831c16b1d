"""Requests for one item."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from local.cosmos.calls import NOT_MODIFIED, Answer, Call, progress
from local.cosmos.documents import Conditions, Done, Transaction, read_item
from local.cosmos.errors import ServiceError, not_covered
from local.cosmos.ids import check_addressable
from local.cosmos.partitions import key_of_header
from local.cosmos.table import Scan

if TYPE_CHECKING:
    from collections.abc import Callable

    from local.cosmos.containers import Container, Partition
    from local.cosmos.partitions import Key

_KEY = "x-ms-documentdb-partitionkey"


def write(call: Call) -> Answer:
    """POST .../docs: create, or upsert where the header says so."""
    container, document, key = call.container(), call.json_object(), _key(call)
    if call.flag("x-ms-documentdb-is-upsert"):
        conditions = _conditions(call)
        return _perform(call, container, key, lambda items: items.upsert(key, document, conditions))
    return _perform(call, container, key, lambda items: items.create(key, document))


def read(call: Call) -> Answer:
    """GET .../docs/{id}; 304 where the client has this version already."""
    container, key = call.container(), _key(call)
    partition = container.partition_of(key)
    partition.admit()
    view = container.view([partition], call.session_token)
    lsn = view.lsns[partition.range.id]
    try:
        done = read_item(container, view, key, _item_id(call))
    except ServiceError as error:
        _charge(error, partition, lsn)
        raise
    partition.budget.take(done.charge)
    known = call.headers.get("if-none-match") in ("*", done.etag)
    headers = progress(partition, done.etag, lsn)
    headers["content-location"] = call.endpoint + quote("/".join(call.segments))
    return Answer(
        status=NOT_MODIFIED if known else done.status,
        body=None if known else done.body,
        charge=done.charge,
        headers=headers,
    )


def replace(call: Call) -> Answer:
    """PUT .../docs/{id}."""
    key, document, conditions = _key(call), call.json_object(), _conditions(call)
    return _perform(
        call,
        call.container(),
        key,
        lambda items: items.replace(key, _item_id(call), document, conditions),
    )


def patch(call: Call) -> Answer:
    """PATCH .../docs/{id}."""
    key, request, conditions = _key(call), call.json(), _conditions(call)
    return _perform(
        call,
        call.container(),
        key,
        lambda items: items.patch(key, _item_id(call), request, conditions),
    )


def delete(call: Call) -> Answer:
    """DELETE .../docs/{id}."""
    key, conditions = _key(call), _conditions(call)
    return _perform(
        call, call.container(), key, lambda items: items.delete(key, _item_id(call), conditions)
    )


def delete_partition_key(call: Call) -> Answer:
    """Answer POST .../operations/partitionkeydelete: delete all items of a partition key.

    All at once, where the service deletes them in the background.
    """
    if call.ids[2] != "partitionkeydelete":
        raise not_covered(f"The operation {call.ids[2]!r} on a container")
    container, key = call.container(), _key(call)
    partition = container.partition_of(key).range.id
    scan = Scan(partition=partition, conditions=(("key", "=", key.text),))
    items = list(container.table.scan(scan))
    return _perform(call, container, key, lambda transaction: transaction.delete_all(key, items))


def _perform(
    call: Call, container: Container, key: Key, operate: Callable[[Transaction], Done]
) -> Answer:
    partition = container.partition_of(key)
    partition.admit()
    try:
        with Transaction(container, partition) as items:
            done = operate(items)
    except ServiceError as error:
        _charge(error, partition)
        raise
    partition.budget.take(done.charge)
    return Answer(
        status=done.status,
        body=None if call.minimal else done.body,
        charge=done.charge,
        headers=progress(partition, done.etag),
    )


def _charge(error: ServiceError, partition: Partition, lsn: int | None = None) -> None:
    """Charge the partition for an error, and name its progress on the answer."""
    partition.budget.take(error.charge)
    error.headers = progress(partition, lsn=lsn)


def _item_id(call: Call) -> str:
    check_addressable(call.ids[2])
    return call.ids[2]


def _key(call: Call) -> Key:
    return key_of_header(call.headers.get(_KEY))


def _conditions(call: Call) -> Conditions:
    return Conditions(call.headers.get("if-match"), call.headers.get("if-none-match"))
