"""Many operations in one request: transactional batches, and the bulk form.

The bulk form is what SDKs with bulk support send: operations of many partition keys for one
physical partition, each of them by itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from local.cosmos.calls import (
    FAILED_DEPENDENCY,
    MULTI_STATUS,
    OK,
    TOO_MANY_REQUESTS,
    Answer,
    Call,
    progress,
)
from local.cosmos.documents import Conditions, Done, Transaction
from local.cosmos.errors import ServiceError, bad_request, partition_gone, too_large
from local.cosmos.jsontext import encode
from local.cosmos.partitions import key_of_header

if TYPE_CHECKING:
    from collections.abc import Mapping

    from local.cosmos.containers import Container, Partition
    from local.cosmos.partitions import Key

_MOST_OPERATIONS = 100
_LARGEST = 2 * 1024 * 1024
_FIRST_ERROR = 400

Result = Done | ServiceError
Operation = dict[str, Any]


def batch(call: Call) -> Answer:
    """POST .../docs with the batch header: atomic, or one result for each operation."""
    container, operations = call.container(), _operations(call)
    partition_id = call.headers.get("x-ms-documentdb-partitionkeyrangeid")
    if partition_id is not None:
        partition = container.partition_by_id(partition_id)
        results = _bulk(call, container, partition, operations)
    else:
        key = key_of_header(call.headers.get("x-ms-documentdb-partitionkey"))
        partition = container.partition_of(key)
        results = _atomic(call, container, partition, key, operations)
    return _answer(call, partition, results)


def _operations(call: Call) -> list[Operation]:
    if len(call.body) > _LARGEST:
        raise too_large("The batch is over 2 MB.")
    operations = call.json()
    if not isinstance(operations, list) or not operations:
        raise bad_request("Batch request has no operations.")
    if len(operations) > _MOST_OPERATIONS:
        raise bad_request(
            "Batch request has more operations than what is supported. "
            f"It has {len(operations)}, at most {_MOST_OPERATIONS} are allowed."
        )
    if not all(isinstance(operation, dict) for operation in operations):
        raise bad_request("Each operation of a batch must be a JSON object.")
    return operations


def _atomic(
    call: Call, container: Container, partition: Partition, key: Key, operations: list[Operation]
) -> list[Result]:
    """All operations or none; where one fails, the others depended on it (424)."""
    partition.admit()
    struck = _struck(call, operations)
    results: list[Result] = []
    try:
        with Transaction(container, partition) as items:
            for nth, operation in enumerate(operations):
                if nth in struck:
                    raise struck[nth]
                results.append(_operate(items, key, operation))
    except ServiceError as error:
        dependency = ServiceError(FAILED_DEPENDENCY, "FailedDependency", "", charge=0)
        failed = len(results)
        results = [error if nth == failed else dependency for nth in range(len(operations))]
    partition.budget.take(sum(result.charge for result in results))
    return results


def _struck(call: Call, operations: list[Operation]) -> Mapping[int, ServiceError]:
    return {} if call.strike is None else call.strike.refusal_of(len(operations))


def _bulk(
    call: Call, container: Container, partition: Partition, operations: list[Operation]
) -> list[Result]:
    """Each operation by itself, over the logical partitions of one physical partition."""
    struck = _struck(call, operations)
    results: list[Result] = []
    with Transaction(container, partition) as items:
        for nth, operation in enumerate(operations):
            result = struck.get(nth) or _single(container, partition, items, operation)
            partition.budget.take(result.charge)
            results.append(result)
    return results


def _single(
    container: Container, partition: Partition, items: Transaction, operation: Operation
) -> Result:
    try:
        partition.admit()
        key = key_of_header(operation.get("partitionKey"))
        if container.partition_of(key) is not partition:
            raise partition_gone()
        return _operate(items, key, operation)
    except ServiceError as error:
        return error


def _operate(items: Transaction, key: Key, operation: Operation) -> Done:
    kind, body = operation.get("operationType"), operation.get("resourceBody")
    item_id = str(operation.get("id"))
    conditions = Conditions(operation.get("ifMatch"), operation.get("ifNoneMatch"))
    if kind == "Read":
        return items.read(key, item_id)
    if kind == "Delete":
        return items.delete(key, item_id, conditions)
    if not isinstance(body, dict):
        raise bad_request(f"Batch operation {kind!r} is unknown, or lacks its resourceBody.")
    if kind == "Upsert":
        return items.upsert(key, body, conditions)
    if kind == "Create":
        return items.create(key, body)
    if kind == "Replace":
        return items.replace(key, item_id, body, conditions)
    if kind == "Patch":
        return items.patch(key, item_id, body, conditions)
    raise bad_request(f"Batch operation {kind!r} is unknown.")


def _answer(call: Call, partition: Partition, results: list[Result]) -> Answer:
    failed = any(result.status >= _FIRST_ERROR for result in results)
    minimal = call.minimal
    return Answer(
        status=MULTI_STATUS if failed else OK,
        body=f"[{','.join([_result(result, minimal=minimal) for result in results])}]",
        charge=round(sum(result.charge for result in results), 2),
        throttled=sum(result.status == TOO_MANY_REQUESTS for result in results),
        headers=progress(partition),
    )


def _result(result: Result, *, minimal: bool) -> str:
    text = f'{{"statusCode":{result.status},"requestCharge":{result.charge}'
    if isinstance(result, ServiceError):
        wait = result.retry_after_ms
        retry = "" if wait is None else f',"retryAfterMilliseconds":{wait}'
        return f'{text},"subStatusCode":{result.sub_status}{retry}}}'
    if result.etag is not None:
        text += f',"eTag":{encode(result.etag)}'
    if result.body is not None and not minimal:
        text += f',"resourceBody":{result.body}'
    return text + "}"
