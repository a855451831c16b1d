"""Many operations in one request: transactional batches, and the bulk form."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from local.cosmos.documents import Conditions, Done, Transaction, key_of
from local.cosmos.errors import ServiceError, bad_request, partition_gone, too_large
from local.cosmos.wire import answer, headers, json_body, partition_key

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiohttp import web

    from local.cosmos.account import Container, Partition
    from local.cosmos.storage import Storage

_MOST_OPERATIONS = 100
_LARGEST = 2 * 1024 * 1024
_MULTI_STATUS, _OK, _FAILED_DEPENDENCY = 207, 200, 424
_FIRST_ERROR = 400


async def batch(request: web.Request, storage: Storage, container: Container) -> web.Response:
    """POST .../docs with the batch header: atomic, or one result for each operation."""
    operations = await _operations(request)
    partition_id = request.headers.get("x-ms-documentdb-partitionkeyrangeid")
    if partition_id is not None:
        partition = container.partition_by_id(partition_id)
        if partition is None:
            raise partition_gone()
        results = _bulk(storage, container, partition, operations)
    else:
        value = partition_key(request.headers.get("x-ms-documentdb-partitionkey"))
        partition, epk = container.place(value)
        results = _atomic(storage, container, partition, (value, epk), operations)
    return _answer(request, partition, results)


async def _operations(request: web.Request) -> list[dict[str, Any]]:
    operations = await json_body(request)
    if len(await request.read()) > _LARGEST:
        raise too_large("The batch is over 2 MB.")
    if not isinstance(operations, list) or not 1 <= len(operations) <= _MOST_OPERATIONS:
        raise bad_request(f"A batch has 1 to {_MOST_OPERATIONS} operations.")
    return operations


def _atomic(
    storage: Storage,
    container: Container,
    partition: Partition,
    place: tuple[Any, str],
    operations: list[dict[str, Any]],
) -> list[Done | ServiceError]:
    """All operations or none; where one fails, the others depended on it (424)."""
    partition.admit()
    results: list[Done | ServiceError] = []
    try:
        with storage.transaction():
            transaction = Transaction(storage, container, partition)
            for operation in operations:
                results.append(_operate(transaction, container, place, operation))  # noqa: PERF401 - what succeeded is wanted when the next one fails
            transaction.commit()
    except ServiceError as error:
        failed = len(results)
        partition.budget.take(error.charge)
        dependency = ServiceError(_FAILED_DEPENDENCY, "FailedDependency", "", charge=0)
        results = [error if nth == failed else dependency for nth in range(len(operations))]
    else:
        partition.budget.take(sum(result.charge for result in results))
    return results


def _bulk(
    storage: Storage, container: Container, partition: Partition, operations: list[dict[str, Any]]
) -> list[Done | ServiceError]:
    """Each operation by itself, over the logical partitions of one physical partition."""
    results: list[Done | ServiceError] = []
    with storage.transaction():
        transaction = Transaction(storage, container, partition)
        for operation in operations:
            try:
                partition.admit()
                place = _place(container, partition, operation)
                done = _operate(transaction, container, place, operation)
                partition.budget.take(done.charge)
                results.append(done)
            except ServiceError as error:
                partition.budget.take(error.charge)
                results.append(error)
        transaction.commit()
    return results


def _place(
    container: Container, partition: Partition, operation: dict[str, Any]
) -> tuple[Any, str]:
    value = partition_key(operation.get("partitionKey"))
    owner, epk = container.place(value)
    if owner is not partition:
        raise partition_gone()
    return value, epk


def _operate(
    transaction: Transaction,
    container: Container,
    place: tuple[Any, str],
    operation: dict[str, Any],
) -> Done:
    value, epk = place
    key, kind = json.dumps(value), operation.get("operationType")
    body, item_id = operation.get("resourceBody"), str(operation.get("id"))
    conditions = Conditions(
        if_match=operation.get("ifMatch"), if_none_match=operation.get("ifNoneMatch")
    )
    if kind == "Read":
        return transaction.read(key, item_id)
    if kind == "Delete":
        return transaction.delete(key, item_id, conditions)
    if not isinstance(body, dict):
        raise bad_request(f"Batch operation {kind!r} is unknown, or lacks its resourceBody.")
    if kind == "Patch":
        return transaction.patch(key, item_id, body.get("operations"), conditions)
    if key_of(container, body) != value:
        raise bad_request("A document of the batch has another partition key.")
    writes: dict[object, Callable[[], Done]] = {
        "Create": lambda: transaction.create(key, epk, body),
        "Upsert": lambda: transaction.upsert(key, epk, body, conditions),
        "Replace": lambda: transaction.replace(key, item_id, body, conditions),
    }
    if kind not in writes:
        raise bad_request(f"Batch operation {kind!r} is unknown.")
    return writes[kind]()


def _answer(
    request: web.Request, partition: Partition, results: list[Done | ServiceError]
) -> web.Response:
    minimal = "return=minimal" in request.headers.get("prefer", "")
    statuses = {result.status for result in results}
    status = _MULTI_STATUS if max(statuses) >= _FIRST_ERROR else _OK
    charge = round(sum(result.charge for result in results), 2)
    body = f"[{','.join(_result(result, minimal=minimal) for result in results)}]"
    return answer(status, body, headers(charge, partition))


def _result(result: Done | ServiceError, *, minimal: bool) -> str:
    fields: dict[str, Any] = {"statusCode": result.status, "requestCharge": result.charge}
    if isinstance(result, ServiceError):
        fields["subStatusCode"] = result.sub_status
        if result.retry_after_ms is not None:
            fields["retryAfterMilliseconds"] = result.retry_after_ms
        return json.dumps(fields)
    if result.etag is not None:
        fields["eTag"] = result.etag
    text = json.dumps(fields)
    if minimal or result.body is None:
        return text
    return f'{text[:-1]},"resourceBody":{result.body}}}'
