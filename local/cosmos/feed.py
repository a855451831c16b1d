"""Requests for the change feed (LatestVersion) and for the list of physical partitions."""

from __future__ import annotations

import time
from datetime import timezone
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from local.cosmos import charges
from local.cosmos.errors import bad_request, not_supported
from local.cosmos.messages import (
    NOT_MODIFIED,
    Request,
    Response,
    items_body,
    json_response,
    parse_continuation,
    partition_headers,
)
from local.cosmos.partitions import partition_key_from_header

if TYPE_CHECKING:
    from collections.abc import Iterator

    from local.cosmos.containers import Container, Partition
    from local.cosmos.table import Item

_MAX_ITEMS = 1000
_MAX_BYTES = 4 * 1024 * 1024


def list_partition_ranges(request: Request) -> Response:
    """Return the physical partitions, or 304 if the client has them (GET .../pkranges)."""
    container = request.container()
    etag = f'"{"-".join(partition.key_range.id for partition in container.partitions)}"'
    if request.headers.get("if-none-match") == etag:
        return Response(status=NOT_MODIFIED, headers={"etag": etag})
    ranges = [_range(container, partition, etag) for partition in container.partitions]
    content = {"_rid": container.rid, "PartitionKeyRanges": ranges, "_count": len(ranges)}
    return json_response(content, etag=etag)


def read_change_feed(request: Request) -> Response:
    """Return items of a physical partition that changed after an LSN (GET .../docs with A-IM).

    Each item appears once, in its latest version and in the order of the latest changes. The
    changes of a transaction are in one page. Expired items are omitted.
    """
    if request.headers["a-im"].lower() != "incremental feed":
        raise not_supported("The change feed mode AllVersionsAndDeletes")
    container = request.container()
    partition = _partition(request, container)
    partition.admit()
    view = container.view([partition], request.session_token)
    lsn = view.lsns[partition.key_range.id]
    after, since = _start(request, lsn)
    changes = _selected(request, container, view.changes(partition.key_range.id, after=after))
    items = _page((item for item in changes if item.ts > since), request.page_size(_MAX_ITEMS))
    bodies = [f'{item.body[:-1]},"_lsn":{item.lsn}}}' for item in items]
    charge = charges.feed(sum(map(len, bodies)))
    partition.limiter.charge(charge)
    if not items:
        headers = partition_headers(partition, f'"{max(lsn, after)}"', lsn)
        headers["x-ms-item-count"] = "0"
        return Response(status=NOT_MODIFIED, charge=charge, headers=headers)
    headers = partition_headers(partition, f'"{items[-1].lsn}"', lsn)
    headers["x-ms-item-count"] = str(len(items))
    return Response(body=items_body(container, bodies), charge=charge, headers=headers)


def _range(container: Container, partition: Partition, etag: str) -> dict[str, object]:
    return {
        "_rid": container.rid,
        "id": partition.key_range.id,
        "_etag": etag,
        "minInclusive": partition.key_range.minimum,
        "maxExclusive": partition.key_range.maximum,
        "ridPrefix": int(partition.key_range.id),
        "throughputFraction": 1 / len(container.partitions),
        "status": "online",
        "parents": list(partition.key_range.parents),
        "_ts": container.ts,
        "_lsn": partition.lsn,
    }


def _partition(request: Request, container: Container) -> Partition:
    partition_id = request.headers.get("x-ms-documentdb-partitionkeyrangeid")
    if partition_id is not None:
        return container.partition_by_id(partition_id)
    if "x-ms-documentdb-partitionkey" in request.headers:
        return container.partition_of(
            partition_key_from_header(request.headers["x-ms-documentdb-partitionkey"])
        )
    if len(container.partitions) == 1:
        return container.partitions[0]
    raise bad_request(
        "The change feed is read by physical partition: send the header "
        "x-ms-documentdb-partitionkeyrangeid or x-ms-documentdb-partitionkey."
    )


def _start(request: Request, lsn: int) -> tuple[int, float]:
    """Return the LSN and the second after which the page starts."""
    etag = request.headers.get("if-none-match")
    if etag == "*":
        return lsn, 0
    since = request.headers.get("if-modified-since")
    second = _second(since) if since else 0
    if etag is None:
        return 0, second
    after = parse_continuation(etag.strip('"'))
    if after is None:
        raise bad_request("If-None-Match must be * or the ETag of an earlier page.")
    return after, second


def _second(text: str) -> float:
    try:
        return parsedate_to_datetime(text).replace(tzinfo=timezone.utc).timestamp()
    except ValueError:
        raise bad_request(
            "If-Modified-Since must be a date like Sun, 06 Nov 1994 08:49:37 GMT."
        ) from None


def _selected(request: Request, container: Container, items: Iterator[Item]) -> Iterator[Item]:
    """Return the items of the requested key range and partition key that have not expired."""
    minimum = request.headers.get("x-ms-start-epk", "")
    maximum = request.headers.get("x-ms-end-epk", "FF")
    key = request.headers.get("x-ms-documentdb-partitionkey")
    text = None if key is None else partition_key_from_header(key).text
    now, ttl = time.time(), container.default_ttl
    return (
        item
        for item in items
        if minimum <= item.epk < maximum
        and text in (None, item.key)
        and not item.is_expired(ttl, now)
    )


def _page(items: Iterator[Item], limit: int) -> list[Item]:
    page: list[Item] = []
    size = 0
    for item in items:
        is_full = len(page) >= limit or size >= _MAX_BYTES
        if is_full and item.lsn != page[-1].lsn:
            break
        page.append(item)
        size += len(item.body)
    return page
