"""Requests with many operations: transactional batches and bulk requests.

SDKs with bulk support send bulk requests: operations on many partition keys of one physical
partition, which are applied individually.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from local.cosmos.documents import OperationResult, Transaction
from local.cosmos.errors import ServiceError, StorageError, bad_request, partition_gone
from local.cosmos.jsontext import encode
from local.cosmos.messages import (
    FAILED_DEPENDENCY,
    MULTI_STATUS,
    OK,
    TOO_MANY_REQUESTS,
    Request,
    Response,
    partition_headers,
)
from local.cosmos.partitions import partition_key_from_header
from local.cosmos.preconditions import Preconditions

if TYPE_CHECKING:
    from collections.abc import Mapping

    from local.cosmos.containers import Container, Partition
    from local.cosmos.partitions import PartitionKey

_MAX_OPERATIONS = 100
_FIRST_ERROR = 400
_KEY = "x-ms-documentdb-partitionkey"

Result = OperationResult | ServiceError
Operation = dict[str, Any]


def execute_batch(request: Request) -> Response:
    """Execute a transactional batch or a bulk request (POST .../docs with the batch header)."""
    container, operations = request.container(), _operations(request)
    partition_id = request.headers.get("x-ms-documentdb-partitionkeyrangeid")
    is_transactional = request.has_flag("x-ms-cosmos-batch-atomic")
    has_key = _KEY in request.headers or is_transactional or partition_id is None
    key = partition_key_from_header(request.headers.get(_KEY)) if has_key else None
    if partition_id is not None:
        partition = container.partition_by_id(partition_id)
    else:
        partition = container.partition_of(_require(key))
    if not is_transactional:
        return _response(
            request, partition, _execute_bulk(request, container, partition, key, operations)
        )
    results = _execute_transactional(request, container, partition, _require(key), operations)
    response = _response(request, partition, results)
    return replace(response, headers={**response.headers, **_sub_status_header(results)})


def _operations(request: Request) -> list[Operation]:
    operations = request.json()
    if not isinstance(operations, list) or not operations:
        raise bad_request("Batch request has no operations.", charge=0)
    if len(operations) > _MAX_OPERATIONS:
        raise bad_request(
            "Batch request has more operations than what is supported. "
            f"It has {len(operations)}, at most {_MAX_OPERATIONS} are allowed.",
            charge=0,
        )
    if not all(isinstance(operation, dict) for operation in operations):
        raise bad_request("Each operation of a batch must be a JSON object.")
    return operations


def _execute_transactional(
    request: Request,
    container: Container,
    partition: Partition,
    key: PartitionKey,
    operations: list[Operation],
) -> list[Result]:
    """Apply all operations, or none; if one fails, the results of the others are 424."""
    partition.admit()
    injected = _injected_errors(request, operations)
    results: list[Result] = []
    try:
        with Transaction(container, partition) as items:
            for nth, operation in enumerate(operations):
                if nth in injected:
                    raise injected[nth]
                results.append(_apply(items, key, operation))
    except StorageError:
        raise
    except ServiceError as error:
        results = _failed_results(results, error, len(operations))
    partition.limiter.charge(sum(result.charge for result in results))
    return results


def _failed_results(results: list[Result], error: ServiceError, count: int) -> list[Result]:
    """Return the results of a failed batch, with the charges of what was applied before."""
    before: list[Result] = [_failed_dependency(result.charge) for result in results]
    return [*before, error, *(_failed_dependency(0) for _ in range(count - len(before) - 1))]


def _failed_dependency(charge: float) -> ServiceError:
    return ServiceError(FAILED_DEPENDENCY, "FailedDependency", "", charge=charge)


def _injected_errors(request: Request, operations: list[Operation]) -> Mapping[int, ServiceError]:
    injected = request.injected_fault
    return {} if injected is None else injected.operation_errors(len(operations))


def _execute_bulk(
    request: Request,
    container: Container,
    partition: Partition,
    key: PartitionKey | None,
    operations: list[Operation],
) -> list[Result]:
    """Apply each operation individually.

    After the first failure, the results of the others are 424 unless a header asks to continue.
    """
    injected = _injected_errors(request, operations)
    should_continue = request.has_flag("x-ms-cosmos-batch-continue-on-error")
    results: list[Result] = []
    with Transaction(container, partition) as items:
        for nth, operation in enumerate(operations):
            if results and not should_continue and results[-1].status >= _FIRST_ERROR:
                results.append(_failed_dependency(0))
                continue
            result = injected.get(nth) or _execute_single(
                container, partition, items, key, operation
            )
            partition.limiter.charge(result.charge)
            results.append(result)
    return results


def _execute_single(
    container: Container,
    partition: Partition,
    items: Transaction,
    key: PartitionKey | None,
    operation: Operation,
) -> Result:
    try:
        partition.admit()
        own_key = operation.get("partitionKey")
        if own_key is not None or key is None:
            key = partition_key_from_header(own_key)
        if container.partition_of(key) is not partition:
            raise partition_gone()
        return _apply(items, key, operation)
    except ServiceError as error:
        return error


def _apply(items: Transaction, key: PartitionKey, operation: Operation) -> OperationResult:
    kind, body = operation.get("operationType"), operation.get("resourceBody")
    preconditions = Preconditions(operation.get("ifMatch"), operation.get("ifNoneMatch"))
    if kind in {"Create", "Upsert"}:
        document = _document(kind, body)
        if kind == "Create":
            return items.create(key, document)
        return items.upsert(key, document, preconditions)
    item_id = operation.get("id")
    if not isinstance(item_id, str):
        raise bad_request(f"Batch operation {kind!r} is unknown, or its id is missing.")
    if kind == "Replace":
        return items.replace(key, item_id, _document(kind, body), preconditions)
    if kind == "Patch":
        return items.patch(key, item_id, body, preconditions)
    return _apply_without_body(items, key, item_id, kind, preconditions)


def _apply_without_body(
    items: Transaction, key: PartitionKey, item_id: str, kind: object, preconditions: Preconditions
) -> OperationResult:
    if kind == "Read":
        return items.read(key, item_id)
    if kind == "Delete":
        return items.delete(key, item_id, preconditions)
    raise bad_request(f"Batch operation {kind!r} is unknown.")


def _document(kind: object, body: object) -> dict[str, Any]:
    if not isinstance(body, dict):
        raise bad_request(f"Batch operation {kind!r} needs a resourceBody.")
    return body


def _require(key: PartitionKey | None) -> PartitionKey:
    return partition_key_from_header(None) if key is None else key


def _response(request: Request, partition: Partition, results: list[Result]) -> Response:
    failed = [result for result in results if result.status >= _FIRST_ERROR]
    omit_body = request.should_omit_body
    return Response(
        status=MULTI_STATUS if failed else OK,
        body=f"[{','.join([_result_text(result, omit_body=omit_body) for result in results])}]",
        charge=round(sum(result.charge for result in results), 2),
        throttled=sum(result.status == TOO_MANY_REQUESTS for result in failed),
        headers={**partition_headers(partition), "x-ms-item-count": str(len(results))},
    )


def _sub_status_header(results: list[Result]) -> dict[str, str]:
    """Return the header with the sub-status of the operation that failed, if it has one."""
    for result in results:
        if isinstance(result, ServiceError) and result.sub_status:
            return {"x-ms-substatus": str(result.sub_status)}
    return {}


def _result_text(result: Result, *, omit_body: bool) -> str:
    text = f'{{"statusCode":{result.status},"requestCharge":{result.charge}'
    if isinstance(result, ServiceError):
        if result.sub_status:
            text += f',"subStatusCode":{result.sub_status}'
        if result.retry_after_ms is not None:
            text += f',"retryAfterMilliseconds":{result.retry_after_ms}'
        return text + "}"
    if result.etag is not None:
        text += f',"eTag":{encode(result.etag)}'
    if result.body is not None and not omit_body:
        text += f',"resourceBody":{result.body}'
    return text + "}"
