"""The two batch forms of Cosmos DB, with bodies that are serialised already.

The Python SDK has transactional batches, and no bulk mode (azure-sdk-for-python#36591). What its
public hook on raw requests sends here is what the JavaScript SDK's `executeBulkOperations` sends:
operations of many logical partitions for one physical partition, each of them by itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from azure.cosmos.exceptions import CosmosBatchOperationError

from core.cosmos.requests import request_charge, run_request
from core.errors import TransientError
from core.telemetry.spans import write_span

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from azure.core.pipeline.transport import HttpRequest
    from azure.cosmos.aio import ContainerProxy


_PLACEHOLDER = [("read", ("-",))]
"""What the SDK is asked to send, before the hook puts the real operations in its place."""

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
    """What became of one operation; `retry_after` in seconds, where the service says."""

    status: int
    sub_status: int = 0
    retry_after: float | None = None


_TAKEN = OperationResult(201)


async def send_transactional(
    container: ContainerProxy,
    stream_id: str,
    writes: Sequence[Operation],
    on_charge: Callable[[float], None],
) -> None:
    """Upsert documents of one stream, all or none.

    Raises:
        CosmosError: It failed, or the answer is none to these operations (TransientError).
    """
    body = b",".join(b'{"operationType":"Upsert","resourceBody":%b}' % each.body for each in writes)
    doing = f"writing {len(writes)} events into stream {stream_id}"
    request = container.execute_item_batch(
        _PLACEHOLDER,
        stream_id,
        raw_request_hook=lambda request: _replace(request.http_request, body, {}),
        response_hook=lambda headers, _: on_charge(request_charge(headers)),
    )
    with write_span("atomic", len(writes)):
        results = await run_request(doing, request)
    _check_count(doing, results, writes)


async def send_bulk(
    container: ContainerProxy,
    range_id: str,
    writes: Sequence[Operation],
    on_charge: Callable[[float], None],
) -> list[OperationResult]:
    """Upsert documents of several streams in one physical partition, each by itself.

    Returns:
        What became of each, in their order.

    Raises:
        CosmosError: The request failed as a whole; or the answer is none to these operations, and
            nothing of it may be believed (TransientError).
    """
    body = b",".join(map(_operation, writes))
    headers = {
        "x-ms-cosmos-batch-atomic": "False",
        "x-ms-cosmos-batch-continue-on-error": "True",
        _RANGE: range_id,
    }
    doing = f"writing {len(writes)} events into physical partition {range_id}"
    request = container.execute_item_batch(
        _PLACEHOLDER,
        writes[0].stream_id,
        raw_request_hook=lambda request: _replace(request.http_request, body, headers),
        response_hook=lambda headers, _: on_charge(request_charge(headers)),
    )
    try:
        with write_span("bulk", len(writes)):
            answer = await run_request(doing, _results(request, on_charge))
        results = [_read(each) for each in answer]
    except (KeyError, TypeError, ValueError) as error:
        raise TransientError(f"While {doing}: the answer cannot be read ({error!r}).") from error
    _check_count(doing, results, writes)
    return results


def _check_count(doing: str, results: Sequence[object], writes: Sequence[Operation]) -> None:
    """What was not acknowledged one by one must not count as written."""
    if len(results) != len(writes):
        raise TransientError(f"While {doing}: {len(results)} results came back.")


async def _results(
    request: Awaitable[Sequence[Any]], on_charge: Callable[[float], None]
) -> Sequence[Any]:
    """The results, whether or not operations failed."""
    try:
        return await request
    except CosmosBatchOperationError as error:
        on_charge(request_charge(error.headers))
        return error.operation_responses or ()


def _read(result: Mapping[str, Any]) -> OperationResult:
    status = int(result["statusCode"])
    if status == _TAKEN.status:
        return _TAKEN
    hint = result.get("retryAfterMilliseconds")
    return OperationResult(
        status=status,
        sub_status=int(result.get("subStatusCode") or 0),
        retry_after=None if hint is None else float(hint) / 1000,
    )


def _operation(write: Operation) -> bytes:
    """One of many; its partition key is JSON in a JSON string, and stream ids need no escapes."""
    key = b'"[\\"%b\\"]"' % write.stream_id.encode()
    return b'{"operationType":"Upsert","partitionKey":%b,"resourceBody":%b}' % (key, write.body)


def _replace(request: HttpRequest, operations: bytes, headers: Mapping[str, str]) -> None:
    """Put the operations in place of what the SDK would send; its signature covers neither."""
    request.data = b"[%b]" % operations
    request.headers["Content-Length"] = str(len(request.data))
    if _RANGE in headers:
        del request.headers[_KEY]
    request.headers.update(headers)
