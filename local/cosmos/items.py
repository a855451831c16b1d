"""Requests for one item."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from local.cosmos.documents import Conditions, Done, Transaction, key_of
from local.cosmos.errors import bad_request
from local.cosmos.wire import NOT_MODIFIED, answer, headers, json_object, partition_key

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from aiohttp import web

    from local.cosmos.account import Container, Partition
    from local.cosmos.storage import Storage

_KEY_MISMATCH = 1001
_KEY_HEADER = "x-ms-documentdb-partitionkey"


async def write(request: web.Request, storage: Storage, container: Container) -> web.Response:
    """POST .../docs: create, or upsert where the header says so."""
    document = await json_object(request)
    value = key_of(container, document)
    sent = request.headers.get(_KEY_HEADER)
    if sent is not None and partition_key(sent) != value:
        raise bad_request(
            "PartitionKey extracted from document doesn't match the one specified in the header",
            sub_status=_KEY_MISMATCH,
        )
    key = json.dumps(value)
    partition, epk = container.place(value)
    conditions = _conditions(request)

    def operate(transaction: Transaction) -> Done:
        if request.headers.get("x-ms-documentdb-is-upsert", "").lower() == "true":
            return transaction.upsert(key, epk, document, conditions)
        return transaction.create(key, epk, document)

    return _perform(request, storage, container, partition, operate)


async def change(request: web.Request, storage: Storage, container: Container) -> web.Response:
    """GET, PUT, PATCH or DELETE .../docs/{id}."""
    value = partition_key(request.headers.get(_KEY_HEADER))
    key, item_id = json.dumps(value), request.match_info["item"]
    partition, _ = container.place(value)
    body = await json_object(request) if request.method in {"PUT", "PATCH"} else {}
    if request.method == "PUT" and key_of(container, body) != value:
        raise bad_request("An item's partition key cannot be changed.", sub_status=_KEY_MISMATCH)
    if "condition" in body and request.method == "PATCH":
        raise bad_request("A patch's condition is not covered by the embedded Cosmos DB.")
    conditions = _conditions(request)
    operations: dict[str, Callable[[Transaction], Done]] = {
        "GET": lambda transaction: transaction.read(key, item_id),
        "PUT": lambda transaction: transaction.replace(key, item_id, body, conditions),
        "PATCH": lambda transaction: transaction.patch(
            key, item_id, body.get("operations"), conditions
        ),
        "DELETE": lambda transaction: transaction.delete(key, item_id, conditions),
    }
    return _perform(request, storage, container, partition, operations[request.method])


def _perform(
    request: web.Request,
    storage: Storage,
    container: Container,
    partition: Partition,
    operate: Callable[[Transaction], Done],
) -> web.Response:
    partition.admit()
    with storage.transaction():
        transaction = Transaction(storage, container, partition)
        done = operate(transaction)
        transaction.commit()
    partition.budget.take(done.charge)
    fields = headers(done.charge, partition, done.etag)
    if request.method == "GET" and request.headers.get("if-none-match") == done.etag:
        return answer(NOT_MODIFIED, None, fields)
    return answer(done.status, None if _minimal(request) else done.body, fields)


def _minimal(request: web.Request) -> bool:
    return "return=minimal" in request.headers.get("prefer", "")


def _conditions(request: web.Request) -> Conditions:
    if request.method == "GET":
        return Conditions()
    found: dict[str, Any] = {
        "if_match": request.headers.get("if-match"),
        "if_none_match": request.headers.get("if-none-match"),
    }
    return Conditions(**found)
