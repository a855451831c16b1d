"""Checks of time to live."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from local.conformance.check import check
from local.conformance.responses import response_to

if TYPE_CHECKING:
    from azure.cosmos.aio import ContainerProxy

    from local.conformance.workspace import Workspace

_TTL_SECONDS = 1
_POLL_DELAY_SECONDS = 0.5
_MAX_POLLS = 60


@check("ttl.item", expected="404 for the item with a ttl, 200 for the other")
async def item(workspace: Workspace) -> str:
    """Return the statuses of items with and without a ttl, in a container with `defaultTtl: -1`."""
    stream = await _create_items(workspace, workspace.events)
    expired = await _status_after_expiry(workspace.events, stream)
    permanent = await _status(workspace.events, stream, "permanent")
    return f"{expired} for the item with a ttl, {permanent} for the other"


@check("ttl.id_is_free_again", expected="201")
async def id_is_free_again(workspace: Workspace) -> str:
    """Return the status of a create with the id of an expired item."""
    stream = await _create_items(workspace, workspace.events)
    await _status_after_expiry(workspace.events, stream)
    response = await workspace.append(stream, workspace.document(stream, "expiring"))
    return response.operations


@check("ttl.disabled", expected="200")
async def disabled(workspace: Workspace) -> str:
    """Return the status of an item with a ttl, in a container without TTL, after it."""
    stream = await _create_items(workspace, workspace.plain)
    await asyncio.sleep(3 * _TTL_SECONDS)
    return await _status(workspace.plain, stream, "expiring")


async def _create_items(workspace: Workspace, container: ContainerProxy) -> str:
    """Return a new stream with an item that expires and one that does not."""
    stream = workspace.stream()
    await container.create_item(workspace.document(stream, "permanent"))
    await container.create_item(workspace.document(stream, "expiring", ttl=_TTL_SECONDS))
    return stream


async def _status_after_expiry(container: ContainerProxy, stream: str) -> str:
    for _ in range(_MAX_POLLS):
        code = await _status(container, stream, "expiring")
        if code != "200":
            break
        await asyncio.sleep(_POLL_DELAY_SECONDS)
    return code


async def _status(container: ContainerProxy, stream: str, item_id: str) -> str:
    response = await response_to(
        lambda hook: container.read_item(item_id, stream, raw_response_hook=hook)
    )
    return response.code
