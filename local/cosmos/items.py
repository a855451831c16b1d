"""Requests for one item."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from local.cosmos.documents import OperationResult, Transaction, read_item
from local.cosmos.errors import ServiceError, not_supported
from local.cosmos.ids import check_addressable
from local.cosmos.messages import NOT_MODIFIED, Request, Response, partition_headers
from local.cosmos.partitions import partition_key_from_header
from local.cosmos.preconditions import Preconditions
from local.cosmos.table import Scan

if TYPE_CHECKING:
    from collections.abc import Callable

    from local.cosmos.containers import Container, Partition
    from local.cosmos.partitions import PartitionKey

_KEY = "x-ms-documentdb-partitionkey"


def create_or_upsert(request: Request) -> Response:
    """Create an item, or upsert it if a header asks for that (POST .../docs)."""
    container, document, key = request.container(), request.json_object(), _key(request)
    if request.has_flag("x-ms-documentdb-is-upsert"):
        preconditions = _preconditions(request)
        return _execute(
            request, container, key, lambda items: items.upsert(key, document, preconditions)
        )
    return _execute(request, container, key, lambda items: items.create(key, document))


def read(request: Request) -> Response:
    """Return an item, or 304 if the client has this version (GET .../docs/{id})."""
    container, key = request.container(), _key(request)
    partition = container.partition_of(key)
    partition.admit()
    view = container.view([partition], request.session_token)
    lsn = view.lsns[partition.key_range.id]
    try:
        result = read_item(container, view, key, _item_id(request))
    except ServiceError as error:
        _charge(error, partition, lsn)
        raise
    partition.limiter.charge(result.charge)
    is_known = request.headers.get("if-none-match") in ("*", result.etag)
    headers = partition_headers(partition, result.etag, lsn)
    headers["content-location"] = request.endpoint + quote("/".join(request.segments))
    return Response(
        status=NOT_MODIFIED if is_known else result.status,
        body=None if is_known else result.body,
        charge=result.charge,
        headers=headers,
    )


def replace(request: Request) -> Response:
    """Replace an item (PUT .../docs/{id})."""
    key, document, preconditions = _key(request), request.json_object(), _preconditions(request)
    return _execute(
        request,
        request.container(),
        key,
        lambda items: items.replace(key, _item_id(request), document, preconditions),
    )


def patch(request: Request) -> Response:
    """Patch an item (PATCH .../docs/{id})."""
    key, body, preconditions = _key(request), request.json(), _preconditions(request)
    return _execute(
        request,
        request.container(),
        key,
        lambda items: items.patch(key, _item_id(request), body, preconditions),
    )


def delete(request: Request) -> Response:
    """Delete an item (DELETE .../docs/{id})."""
    key, preconditions = _key(request), _preconditions(request)
    return _execute(
        request,
        request.container(),
        key,
        lambda items: items.delete(key, _item_id(request), preconditions),
    )


def delete_partition_key(request: Request) -> Response:
    """Delete all items of a partition key (POST .../operations/partitionkeydelete).

    They are deleted at once. The service deletes them in the background.
    """
    if request.ids[2] != "partitionkeydelete":
        raise not_supported(f"The operation {request.ids[2]!r} on a container")
    container, key = request.container(), _key(request)
    partition = container.partition_of(key).key_range.id
    scan = Scan(partition=partition, conditions=(("key", "=", key.text),))
    items = list(container.table.scan(scan))
    return _execute(request, container, key, lambda transaction: transaction.delete_all(key, items))


def _execute(
    request: Request,
    container: Container,
    key: PartitionKey,
    operation: Callable[[Transaction], OperationResult],
) -> Response:
    partition = container.partition_of(key)
    partition.admit()
    try:
        with Transaction(container, partition) as items:
            result = operation(items)
    except ServiceError as error:
        _charge(error, partition)
        raise
    partition.limiter.charge(result.charge)
    return Response(
        status=result.status,
        body=None if request.should_omit_body else result.body,
        charge=result.charge,
        headers=partition_headers(partition, result.etag),
    )


def _charge(error: ServiceError, partition: Partition, lsn: int | None = None) -> None:
    """Charge the partition for an error, and add its session token and LSN to the response."""
    partition.limiter.charge(error.charge)
    error.headers = partition_headers(partition, lsn=lsn)


def _item_id(request: Request) -> str:
    check_addressable(request.ids[2])
    return request.ids[2]


def _key(request: Request) -> PartitionKey:
    return partition_key_from_header(request.headers.get(_KEY))


def _preconditions(request: Request) -> Preconditions:
    return Preconditions(request.headers.get("if-match"), request.headers.get("if-none-match"))
