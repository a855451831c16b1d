"""The two batch forms of Cosmos DB, for documents that are serialized already.

The Python SDK has transactional batches but no bulk mode (azure-sdk-for-python#36591). The SDK's
public hook on raw requests is used to send what the JavaScript SDK's `executeBulkOperations` sends:
operations of many logical partitions on one physical partition, applied individually.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from azure.cosmos.exceptions import CosmosBatchOperationError

from core.cosmos.requests import request_charge, run_request
from core.errors import TransientError
from core.telemetry.spans import write_span

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence

    from azure.core.pipeline.transport import HttpRequest
    from azure.cosmos import CosmosList
    from azure.cosmos.aio import ContainerProxy

    from core.cosmos.requests import ResponseHook

GONE = 410
"""The status if the stream is in another physical partition, as after a split."""

_CREATED, _CONFLICT = 201, 409
WRITTEN = (200, _CREATED)
"""The statuses of a document that is stored."""

_PLACEHOLDER = [("read", ("-",))]
"""What the SDK is asked to send, before the hook replaces it by the real operations."""

_RANGE = "x-ms-documentdb-partitionkeyrangeid"
_KEY = "x-ms-documentdb-partitionkey"


class Operation(Protocol):
    """A document to upsert: its partition key, and its JSON as it is sent."""

    @property
    def stream_id(self) -> str:
        """The partition key."""

    @property
    def body(self) -> bytes:
        """The JSON of the document."""


class OperationResult(NamedTuple):
    """The result of one operation; `retry_after` is in seconds."""

    status: int
    sub_status: int = 0
    retry_after: float | None = None


_UPSERTED = OperationResult(_CREATED)


def read_current(
    container: ContainerProxy, item_id: str, partition_key: str, hook: ResponseHook
) -> Awaitable[CosmosList]:
    """Read one document by a batch, whose result has it as `resourceBody`.

    Batches run where writes run, so that what another process has just written is there. Later
    reads of this process are as new.
    """
    operations = [("read", (item_id,))]
    return container.execute_item_batch(
        operations, partition_key, response_hook=hook, no_response=False
    )


async def send_transactional(
    container: ContainerProxy,
    stream_id: str,
    operations: Sequence[Operation],
    on_charge: Callable[[float], None],
) -> None:
    """Upsert documents of one stream, all or none.

    Raises:
        CosmosError: If Cosmos DB returns an error; TransientError if the response is not one to
            these operations.
    """
    bodies = (operation.body for operation in operations)
    body = b",".join(b'{"operationType":"Upsert","resourceBody":%b}' % one for one in bodies)
    action = f"writing {len(operations)} events into stream {stream_id}"
    request = container.execute_item_batch(
        _PLACEHOLDER,
        stream_id,
        raw_request_hook=lambda request: _replace(request.http_request, body, {}),
        response_hook=lambda headers, _: on_charge(request_charge(headers)),
    )
    with write_span("execute_batch", container.id, len(operations)):
        await _results(action, run_request(action, request), len(operations), required=WRITTEN)


async def create_all(
    container: ContainerProxy,
    stream_id: str,
    documents: Sequence[Mapping[str, Any]],
    on_response: ResponseHook,
) -> int | None:
    """Create documents of one stream, all or none.

    Returns:
        The place of the document whose id is in use, None if all were created.

    Raises:
        Exception: As the SDK raises it; TransientError if the response is not one to these
            operations.
    """
    action = f"appending {len(documents)} documents to stream {stream_id}"
    operations = [("create", (document,)) for document in documents]
    request = container.execute_item_batch(operations, stream_id, response_hook=on_response)
    try:
        with write_span("execute_batch", container.id, len(documents)):
            await _results(action, request, len(documents), required=(_CREATED,))
    except CosmosBatchOperationError as error:
        on_response(error.headers, None)
        if error.status_code == _CONFLICT:
            return int(error.error_index)
        raise
    return None


async def send_bulk(
    container: ContainerProxy,
    range_id: str,
    operations: Sequence[Operation],
    on_charge: Callable[[float], None],
) -> list[OperationResult]:
    """Upsert documents of several streams in one physical partition, each individually.

    Returns:
        The results in the order of the operations; 410 for all if the partition is gone.

    Raises:
        CosmosError: If Cosmos DB returns an error for the whole request; TransientError if the
            response is not one to these operations, so that no part of it can be trusted.
    """
    body = b",".join(map(_operation, operations))
    headers = {
        "x-ms-cosmos-batch-atomic": "False",
        "x-ms-cosmos-batch-continue-on-error": "True",
        _RANGE: range_id,
    }
    action = f"writing {len(operations)} events into physical partition {range_id}"
    request = container.execute_item_batch(
        _PLACEHOLDER,
        operations[0].stream_id,
        raw_request_hook=lambda request: _replace(request.http_request, body, headers),
        response_hook=lambda headers, _: on_charge(request_charge(headers)),
    )
    try:
        with write_span("execute_bulk", container.id, len(operations)):
            responses = run_request(action, _responses(request, on_charge))
            return await _results(action, responses, len(operations))
    except TransientError as error:
        if error.status != GONE:
            raise
        return [OperationResult(GONE) for _ in operations]


async def _results(
    action: str,
    request: Awaitable[Sequence[Any]],
    count: int,
    *,
    required: Collection[int] = (),
) -> list[OperationResult]:
    """Return the results of a request of the given number of operations, in their order.

    Args:
        action: A description for errors.
        request: The call of the SDK.
        count: The number of operations.
        required: The statuses of which each result must have one; none for any status.

    Raises:
        Exception: As the request raises it; TransientError if the response does not have such a
            result for each operation, so that no part of it can be trusted.
    """
    try:
        results = [
            _UPSERTED if response["statusCode"] == _CREATED else _result(response)
            for response in await request
        ]
    except (KeyError, TypeError, ValueError) as error:
        raise TransientError(f"The response cannot be read while {action} ({error!r}).") from error
    if len(results) != count:
        raise TransientError(f"Cosmos DB returned {len(results)} results while {action}.")
    for result in results if required else ():
        if result.status not in required:
            raise TransientError(f"Cosmos DB returned {result.status} for one while {action}.")
    return results


async def _responses(
    request: Awaitable[Sequence[Any]], on_charge: Callable[[float], None]
) -> Sequence[Any]:
    """Return the responses to the operations, whether or not some of them failed."""
    try:
        return await request
    except CosmosBatchOperationError as error:
        on_charge(request_charge(error.headers))
        return error.operation_responses or ()


def _result(response: Mapping[str, Any]) -> OperationResult:
    retry_after = response.get("retryAfterMilliseconds")
    return OperationResult(
        status=int(response["statusCode"]),
        sub_status=int(response.get("subStatusCode") or 0),
        retry_after=None if retry_after is None else float(retry_after) / 1000,
    )


def _operation(operation: Operation) -> bytes:
    """Return the JSON of an operation, whose key is JSON in a string without escapes."""
    key = b'"[\\"%b\\"]"' % operation.stream_id.encode()
    return b'{"operationType":"Upsert","partitionKey":%b,"resourceBody":%b}' % (key, operation.body)


def _replace(request: HttpRequest, operations: bytes, headers: Mapping[str, str]) -> None:
    """Replace the body and headers of the SDK's request, which its signature does not cover."""
    request.data = b"[%b]" % operations
    request.headers["Content-Length"] = str(len(request.data))
    if _RANGE in headers:
        del request.headers[_KEY]
    request.headers.update(headers)
