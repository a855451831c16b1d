"""Checks of physical partitions, and of the hash that distributes streams to them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.cosmos.key_ranges import KeyRange, effective_partition_key
from core.tracking.change_feed import build_continuation
from local.conformance.check import check
from local.conformance.feed import Feed, feed_for
from local.conformance.responses import Responses

if TYPE_CHECKING:
    from local.conformance.workspace import Workspace

_KEYS = ("followship-1", "a", "", "\u00e4\u4e2d\U0001f600", "x" * 100, "x" * 101, "y" * 2000)


@check("partition.ranges", expected='"" to FF without a gap, each with an id')
async def ranges(workspace: Workspace) -> str:
    """Return the key ranges of the physical partitions."""
    partitions = await workspace.range_ids()
    starts, ends, ids = zip(*partitions, strict=True)
    is_complete = starts[0] == "" and ends[-1] == "FF" and starts[1:] == ends[:-1]
    is_valid = is_complete and all(ids)
    return '"" to FF without a gap, each with an id' if is_valid else f"{partitions}"


@check("partition.ranges_not_modified", expected="200, 304")
async def ranges_not_modified(workspace: Workspace) -> str:
    """Return the responses to a client that reads the partitions until there are no more."""
    responses = Responses()
    listed = workspace.events.read_feed_ranges(force_refresh=True, raw_response_hook=responses)
    _ = [span async for span in listed]
    return responses.codes


@check("partition.hash", expected="the same in SDK and engine, for 7 streams")
async def partition_hash(workspace: Workspace) -> str:
    """Return the number of streams for which engine and SDK compute the same hash."""
    same = 0
    for key in _KEYS:
        feed_range = await workspace.events.feed_range_from_partition_key(key)
        same += feed_range["Range"]["min"] == effective_partition_key(key)
    return f"the same in SDK and engine, for {same} streams"


@check("partition.service_hash", expected="d of its own stream")
async def service_hash(workspace: Workspace) -> str:
    """Return the items that the service stores under the hash that the engine computes."""
    stream = workspace.stream()
    await workspace.events.create_item(workspace.document(stream, "d"))
    low = effective_partition_key(stream)
    span = {"min": low, "max": f"{int(low, 16) + 1:032X}"}
    bounds = {"isMinInclusive": True, "isMaxInclusive": False}
    feed = Feed(container=workspace.events, feed_range={"Range": {**span, **bounds}})
    items = [item for page in await feed.pages() for item in page.items]
    own = all(item["streamId"] == stream for item in items)
    return f"{' '.join(item['id'] for item in items)} of {'its own stream' if own else 'others'}"


@check("partition.sdk_continuation", expected="b")
async def sdk_continuation(workspace: Workspace) -> str:
    """Return the items after a lease's checkpoint, which is converted to an SDK continuation."""
    stream = workspace.stream()
    feed = await feed_for(workspace.events, stream)
    await workspace.events.create_item(workspace.document(stream, "a"))
    checkpoint = (await feed.pages())[-1].response.headers["etag"]
    await workspace.events.create_item(workspace.document(stream, "b"))
    span = feed.feed_range["Range"]
    key_range = KeyRange(start=span["min"], end=span["max"])
    rid = (await workspace.events.read())["_rid"]
    feed.continuation = build_continuation(checkpoint, key_range, rid)
    return " ".join(page.ids for page in await feed.pages() if page.items)
