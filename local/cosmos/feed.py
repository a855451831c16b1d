"""The change feed (LatestVersion) and the list of physical partitions."""

from __future__ import annotations

import time
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from local.cosmos import charges
from local.cosmos.documents import is_expired
from local.cosmos.errors import bad_request, partition_gone
from local.cosmos.wire import NOT_MODIFIED, answer, documents_page, headers, json_answer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aiohttp import web

    from local.cosmos.account import Container, Partition
    from local.cosmos.storage import Item, Storage

_MOST_ITEMS = 1000
_MOST_BYTES = 4 * 1024 * 1024


def is_change_feed(request: web.Request) -> bool:
    """Whether a GET asks for changes and not for a list."""
    return "a-im" in request.headers


def partition_ranges(request: web.Request, container: Container) -> web.Response:
    """GET .../pkranges: the physical partitions; 304 when the client knows them already."""
    etag = f'"{"-".join(each.range.id for each in container.partitions)}"'
    if request.headers.get("if-none-match") == etag:
        return answer(NOT_MODIFIED, None, headers(1.0, etag=etag))
    ranges = [
        {
            "_rid": container.rid,
            "id": each.range.id,
            "_etag": etag,
            "minInclusive": each.range.minimum,
            "maxExclusive": each.range.maximum,
            "ridPrefix": int(each.range.id),
            "throughputFraction": 1 / len(container.partitions),
            "status": "online",
            "parents": [],
            "_ts": container.ts,
            "_lsn": each.lsn,
        }
        for each in container.partitions
    ]
    response = json_answer(
        {"_rid": container.rid, "PartitionKeyRanges": ranges, "_count": len(ranges)}
    )
    response.headers["etag"] = etag
    return response


def changes(request: web.Request, storage: Storage, container: Container) -> web.Response:
    """GET .../docs with A-IM: what changed in one physical partition after an LSN.

    Each item once, in its latest version, in the order of the last changes; a transaction is
    never split over pages. Items whose time to live is over are left out.
    """
    if request.headers["a-im"].lower() != "incremental feed":
        raise bad_request("The change feed mode AllVersionsAndDeletes is not covered.")
    partition = _partition(request, container)
    partition.admit()
    after, since = _start(request, partition)
    limit = int(request.headers.get("x-ms-max-item-count", -1))
    page = _page(
        _wanted(request, storage, container, partition, (after, since)),
        limit if limit > 0 else _MOST_ITEMS,
    )
    bodies = [f'{item.body[:-1]},"_lsn":{item.lsn}}}' for item in page]
    charge = charges.feed(sum(map(len, bodies)))
    partition.budget.take(charge)
    fields = headers(charge, partition)
    if not page:
        fields["etag"] = f'"{max(partition.lsn, after)}"'
        return answer(NOT_MODIFIED, None, fields)
    fields["etag"] = f'"{page[-1].lsn}"'
    fields["x-ms-item-count"] = str(len(page))
    return answer(200, documents_page(container, bodies), fields)


def _partition(request: web.Request, container: Container) -> Partition:
    partition_id = request.headers.get("x-ms-documentdb-partitionkeyrangeid")
    if partition_id is None:
        if len(container.partitions) == 1:
            return container.partitions[0]
        raise bad_request("The change feed is read by physical partition: name one.")
    partition = container.partition_by_id(partition_id)
    if partition is None:
        raise partition_gone()
    return partition


def _start(request: web.Request, partition: Partition) -> tuple[int, float]:
    """The LSN and the time after which changes are wanted."""
    etag = request.headers.get("if-none-match")
    if etag == "*":
        return partition.lsn, 0.0
    since = request.headers.get("if-modified-since")
    moment = _moment(since) if since else 0.0
    if etag is None:
        return 0, moment
    if not etag.strip('"').isdigit():
        raise bad_request("If-None-Match must be the ETag of an earlier page.")
    return int(etag.strip('"')), moment


def _moment(text: str) -> float:
    try:
        return parsedate_to_datetime(text).replace(tzinfo=timezone.utc).timestamp()
    except ValueError:
        raise bad_request(
            f"If-Modified-Since must be a date like {datetime.now(timezone.utc):%a, %d %b %Y} "
            "00:00:00 GMT."
        ) from None


def _wanted(
    request: web.Request,
    storage: Storage,
    container: Container,
    partition: Partition,
    start: tuple[int, float],
) -> Iterator[Item]:
    after, since = start
    minimum = request.headers.get("x-ms-start-epk", "")
    maximum = request.headers.get("x-ms-end-epk", "FF")
    now = time.time()
    found = storage.changes(container.number, partition.range.id, after=after)
    return (
        item
        for item in found
        if minimum <= item.epk < maximum and item.ts > since and not is_expired(item, now)
    )


def _page(items: Iterator[Item], limit: int) -> list[Item]:
    page: list[Item] = []
    size = 0
    for item in items:
        full = len(page) >= limit or size >= _MOST_BYTES
        if full and item.lsn != page[-1].lsn:
            break
        page.append(item)
        size += len(item.body)
    return page
