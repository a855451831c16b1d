"""Beliefs about physical partitions and the hash that spreads streams over them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.cosmos.key_ranges import KeyRange, effective_partition_key
from core.tracking.change_feed import build_continuation
from local.conformance.answers import Answers
from local.conformance.checks import check
from local.conformance.feed import Feed, feed_of

if TYPE_CHECKING:
    from local.conformance.workspace import Workspace

_KEYS = ("followship-1", "a", "", "\u00e4\u4e2d\U0001f600", "x" * 100, "x" * 101, "y" * 2000)


@check("partition.ranges", believed='"" to FF without a gap, each with an id')
async def ranges(workspace: Workspace) -> str:
    """Return what the physical partitions cover."""
    found = await workspace.range_ids()
    lows, highs = [low for low, _, _ in found], [high for _, high, _ in found]
    whole = lows[0] == "" and highs[-1] == "FF" and lows[1:] == highs[:-1]
    named = all(range_id for _, _, range_id in found)
    return '"" to FF without a gap, each with an id' if whole and named else f"{found}"


@check("partition.ranges_not_modified", believed="200, 304")
async def ranges_not_modified(workspace: Workspace) -> str:
    """Return the answers to a client that reads the partitions until nothing is new."""
    answers = Answers()
    listed = workspace.events.read_feed_ranges(force_refresh=True, raw_response_hook=answers)
    _ = [span async for span in listed]
    return answers.codes


@check("partition.hash", believed="the SDK's is the engine's, for 7 streams")
async def partition_hash(workspace: Workspace) -> str:
    """Return for how many streams the engine computes the SDK's effective partition key."""
    same = 0
    for key in _KEYS:
        told = await workspace.events.feed_range_from_partition_key(key)
        same += told["Range"]["min"] == effective_partition_key(key)
    return f"the SDK's is the engine's, for {same} streams"


@check("partition.service_hash", believed="d of its own stream")
async def service_hash(workspace: Workspace) -> str:
    """Return what the service stores under the effective partition key that the engine computes."""
    stream = workspace.stream()
    await workspace.events.create_item(workspace.document(stream, "d"))
    low = effective_partition_key(stream)
    span = {"min": low, "max": f"{int(low, 16) + 1:032X}"}
    bounds = {"isMinInclusive": True, "isMaxInclusive": False}
    feed = Feed(container=workspace.events, feed_range={"Range": {**span, **bounds}})
    items = [item for page in await feed.pages() for item in page.items]
    own = all(item["streamId"] == stream for item in items)
    return f"{' '.join(item['id'] for item in items)} of {'its own stream' if own else 'others'}"


@check("partition.sdk_continuation", believed="b")
async def sdk_continuation(workspace: Workspace) -> str:
    """Return what comes after a lease's checkpoint, in the SDK's form of a continuation token."""
    stream = workspace.stream()
    feed = await feed_of(workspace.events, stream)
    await workspace.events.create_item(workspace.document(stream, "a"))
    checkpoint = (await feed.pages())[-1].answer.headers["etag"]
    await workspace.events.create_item(workspace.document(stream, "b"))
    span = feed.feed_range["Range"]
    key_range = KeyRange(start=span["min"], end=span["max"])
    rid = (await workspace.events.read())["_rid"]
    feed.continuation = build_continuation(checkpoint, key_range, rid)
    return " ".join(page.ids for page in await feed.pages() if page.items)
