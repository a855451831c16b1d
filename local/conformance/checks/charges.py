"""Checks of request charges, for which Microsoft publishes a few numbers and no formula.

"Recorded" charges were returned by an account in Azure on 2026-10-10 (github.com/xo/dbimp,
testdata/cosmos).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from local.conformance.check import ExpectedRange, check
from local.conformance.feed import feed_for
from local.conformance.responses import response_to
from local.conformance.workspace import KILOBYTE

if TYPE_CHECKING:
    from local.conformance.workspace import Workspace

_CREATE = ExpectedRange(low=5, high=7, source="recorded: 5.9; Orleans.CosmosDB #35: 6.29")


@check("charge.create", expected=_CREATE)
async def create(workspace: Workspace) -> float:
    """Return the charge of a create of 1 KB."""
    document = workspace.sized(workspace.stream(), KILOBYTE)
    return (
        await response_to(
            lambda hook: workspace.events.create_item(document, raw_response_hook=hook)
        )
    ).charge


@check("charge.upsert_new", expected=_CREATE)
async def upsert_new(workspace: Workspace) -> float:
    """Return the charge of an upsert of 1 KB that creates an item."""
    document = workspace.sized(workspace.stream(), KILOBYTE)
    return (
        await response_to(
            lambda hook: workspace.events.upsert_item(document, raw_response_hook=hook)
        )
    ).charge


@check(
    "charge.upsert_replacing",
    expected=ExpectedRange(low=9.5, high=12, source="recorded: 10.29"),
)
async def upsert_replacing(workspace: Workspace) -> float:
    """Return the charge of an upsert of 1 KB that replaces an item."""
    document = workspace.sized(workspace.stream(), KILOBYTE)
    await workspace.events.create_item(document)
    return (
        await response_to(
            lambda hook: workspace.events.upsert_item(document, raw_response_hook=hook)
        )
    ).charge


@check(
    "charge.rejected_create",
    expected=ExpectedRange(low=1.2, high=2, source="recorded: 1.48"),
)
async def rejected_create(workspace: Workspace) -> float:
    """Return the charge of a create whose id exists."""
    document = workspace.sized(workspace.stream(), KILOBYTE)
    await workspace.events.create_item(document)
    return (
        await response_to(
            lambda hook: workspace.events.create_item(document, raw_response_hook=hook)
        )
    ).charge


@check(
    "charge.rejected_batch",
    expected=ExpectedRange(low=1.2, high=2, source="as a rejected create"),
)
async def rejected_batch(workspace: Workspace) -> float:
    """Return the charge of a batch of two creates whose first id exists."""
    stream = workspace.stream()
    existing = workspace.sized(stream, KILOBYTE)
    await workspace.append(stream, existing)
    return (await workspace.append(stream, existing, workspace.sized(stream, KILOBYTE))).charge


@check(
    "charge.batch_read", expected=ExpectedRange(low=0.9, high=2, source="assumed as a point read")
)
async def batch_read(workspace: Workspace) -> float:
    """Return the charge of a batch of one read of 1 KB."""
    stream = workspace.stream()
    document = workspace.sized(stream, KILOBYTE)
    await workspace.append(stream, document)
    return (await workspace.read_in_batch(stream, document["id"])).charge


@check(
    "charge.point_read", expected=ExpectedRange(low=0.9, high=1.1, source="Microsoft: 1 for 1 KB")
)
async def point_read(workspace: Workspace) -> float:
    """Return the charge of a point read of 1 KB."""
    return await _read(workspace, KILOBYTE)


@check(
    "charge.large_point_read",
    expected=ExpectedRange(low=9, high=11, source="Microsoft: 10 for 100 KB"),
)
async def large_point_read(workspace: Workspace) -> float:
    """Return the charge of a point read of 100 KB."""
    return await _read(workspace, 100 * KILOBYTE)


@check(
    "charge.missing_point_read", expected=ExpectedRange(low=0.9, high=1.5, source="Equinox: 1.38")
)
async def missing_point_read(workspace: Workspace) -> float:
    """Return the charge of a point read of a missing item."""
    stream = workspace.stream()
    response = await response_to(
        lambda hook: workspace.events.read_item("missing", stream, raw_response_hook=hook)
    )
    return response.charge


@check(
    "charge.empty_feed",
    expected=ExpectedRange(low=0.9, high=2.5, source="not published; 1 assumed"),
)
async def empty_feed(workspace: Workspace) -> float:
    """Return the charge of a feed read without new items."""
    feed = await feed_for(workspace.events, workspace.stream())
    return (await feed.pages())[-1].response.charge


async def _read(workspace: Workspace, size: int) -> float:
    document = workspace.sized(workspace.stream(), size)
    await workspace.events.create_item(document)
    response = await response_to(
        lambda hook: workspace.events.read_item(
            document["id"], document["streamId"], raw_response_hook=hook
        )
    )
    return response.charge
