"""Checks of the change feed in latest-version mode."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from local.conformance.check import check
from local.conformance.feed import Feed, feed_for

if TYPE_CHECKING:
    from local.conformance.feed import Page
    from local.conformance.workspace import Workspace


@check("feed.order", expected="c a b")
async def order(workspace: Workspace) -> str:
    """Return the items that were created one after another, in feed order."""
    stream, feed = await _caught_up(workspace)
    for name in "cab":
        token = (await workspace.append(stream, workspace.document(stream, name))).session_token
    return " ".join(page.ids for page in await feed.pages(session_token=token) if page.items)


@check("feed.pages", expected="a b c | d e | 304")
async def pages(workspace: Workspace) -> str:
    """Return the pages of two batches with a page size of one item: a batch is never split."""
    stream, feed = await _caught_up(workspace)
    token = await _two_batches(workspace, stream)
    return " | ".join(
        page.ids or page.response.code for page in await feed.pages(limit=1, session_token=token)
    )


@check("feed.lsn", expected="one number for each batch, growing")
async def lsn(workspace: Workspace) -> str:
    """Return whether items of one batch have the same `_lsn`, and later ones a higher one."""
    stream, feed = await _caught_up(workspace)
    token = await _two_batches(workspace, stream)
    items = [item for page in await feed.pages(session_token=token) for item in page.items]
    first, second = ({item["_lsn"] for item in part} for part in (items[:3], items[3:]))
    if len(first) == len(second) == 1 and min(first) < min(second):
        return "one number for each batch, growing"
    return f"{sorted(first)}, then {sorted(second)}"


@check("feed.etag", expected="integer in quotes, as _lsn")
async def etag(workspace: Workspace) -> str:
    """Return the format of the ETag, which leases store as their continuation token."""
    stream, feed = await _caught_up(workspace)
    response = await workspace.append(stream, workspace.document(stream))
    page = (await feed.pages(session_token=response.session_token))[0]
    continuation = page.response.headers["etag"]
    is_lsn = continuation == f'"{page.items[-1]["_lsn"]}"'
    return (
        "integer in quotes, as _lsn" if is_lsn else f"{continuation} after {page.items[-1]['_lsn']}"
    )


@check("feed.not_modified", expected="304 with ETag, session token and item count 0")
async def not_modified(workspace: Workspace) -> str:
    """Return the contents of a response without new items."""
    _, feed = await _caught_up(workspace)
    response = (await feed.pages())[-1].response
    has_etag = response.headers.get("etag", "").strip('"').isdecimal()
    parts = [
        "ETag" if has_etag else "no ETag",
        "session token" if response.session_token else "no session token",
    ]
    count = response.headers.get("x-ms-item-count", "missing")
    return f"{response.code} with {', '.join(parts)} and item count {count}"


@check("feed.session_lsn", expected="that of the last change")
async def session_lsn(workspace: Workspace) -> str:
    """Return whether the session token of a 304 contains the partition's LSN, as lag requires."""
    stream, feed = await _caught_up(workspace)
    response = await workspace.append(stream, workspace.document(stream))
    *_, last, not_modified = await feed.pages(session_token=response.session_token)
    lsn = not_modified.response.session_token.partition(":")[2].split("#")[1]
    changed = last.items[-1]["_lsn"]
    return "that of the last change" if int(lsn) == changed else f"{lsn} after {changed}"


@check("feed.latest_version", expected="1 item, version 3")
async def latest_version(workspace: Workspace) -> str:
    """Return the items in the feed after an item was replaced twice."""
    stream, feed = await _caught_up(workspace)
    for version in (1, 2, 3):
        document = {**workspace.document(stream, "d"), "version": version}
        await workspace.events.upsert_item(document)
    items = await _items(feed)
    return f"{len(items)} item, version {items[-1]['version']}"


@check("feed.identical_upsert", expected="d")
async def identical_upsert(workspace: Workspace) -> str:
    """Return the items in the feed after an upsert that changed nothing."""
    stream, feed = await _caught_up(workspace)
    document = workspace.document(stream, "d")
    await workspace.events.upsert_item(document)
    await feed.pages()
    await workspace.events.upsert_item(document)
    return " ".join(item["id"] for item in await _items(feed))


@check("feed.deletes", expected="none, but an LSN is used")
async def deletes(workspace: Workspace) -> str:
    """Return the items in the feed after a delete, and whether it has an LSN."""
    stream, feed = await _caught_up(workspace)
    await workspace.events.create_item(workspace.document(stream, "d"))
    before = (await feed.pages())[-1]
    await workspace.events.delete_item("d", stream)
    after = await feed.pages()
    names = " ".join(page.ids for page in after if page.items) or "none"
    return f"{names}, but {'an' if _lsn(after[-1]) > _lsn(before) else 'no'} LSN is used"


@check("feed.system_properties", expected="_etag, _lsn, _rid, _self, _ts")
async def system_properties(workspace: Workspace) -> str:
    """Return the system properties of an item in the feed."""
    stream, feed = await _caught_up(workspace)
    await workspace.events.create_item(workspace.document(stream, "d"))
    (item,) = await _items(feed)
    return ", ".join(sorted(name for name in item if name[0] == "_" and name != "_attachments"))


@check("feed.one_stream", expected="d")
async def one_stream(workspace: Workspace) -> str:
    """Return the items in the feed of a single effective partition key, which is one stream."""
    stream = workspace.stream()
    await workspace.events.create_item(workspace.document(stream, "d"))
    key = await workspace.events.feed_range_from_partition_key(stream)
    items = await _items(Feed(container=workspace.events, feed_range=key))
    return " ".join(item["id"] for item in items)


async def _caught_up(workspace: Workspace) -> tuple[str, Feed]:
    """Return a new stream, and the feed of its partition after all its pages were read."""
    stream = workspace.stream()
    feed = await feed_for(workspace.events, stream)
    await feed.pages()
    return stream, feed


async def _two_batches(workspace: Workspace, stream: str) -> str:
    """Append a batch of a, b and c, and one of d and e; return the session token."""
    await workspace.append(stream, *(workspace.document(stream, name) for name in "abc"))
    response = await workspace.append(stream, *(workspace.document(stream, name) for name in "de"))
    return response.session_token


async def _items(feed: Feed) -> list[dict[str, Any]]:
    return [item for page in await feed.pages() for item in page.items]


def _lsn(page: Page) -> int:
    return int(page.response.headers["etag"].strip('"'))
