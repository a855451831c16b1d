"""Beliefs about time to live."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from local.conformance.answers import answer_to
from local.conformance.checks import check

if TYPE_CHECKING:
    from azure.cosmos.aio import ContainerProxy

    from local.conformance.workspace import Workspace

_TTL_SECONDS = 1
_PAUSE_SECONDS = 0.5
_POLLS = 60


@check("ttl.item", believed="404 for the item with a ttl, 200 for the other")
async def item(workspace: Workspace) -> str:
    """Return the statuses of two items in a container with `defaultTtl: -1`, after a while."""
    stream = await _stored(workspace, workspace.events)
    expired = await _status_after_expiry(workspace.events, stream)
    kept = await _status(workspace.events, stream, "kept")
    return f"{expired} for the item with a ttl, {kept} for the other"


@check("ttl.id_is_free_again", believed="201")
async def id_is_free_again(workspace: Workspace) -> str:
    """Return the status of a create with the id of an item that has expired."""
    stream = await _stored(workspace, workspace.events)
    await _status_after_expiry(workspace.events, stream)
    answer = await workspace.append(stream, workspace.document(stream, "expiring"))
    return answer.operations


@check("ttl.switched_off", believed="200")
async def switched_off(workspace: Workspace) -> str:
    """Return the status of an item with a ttl in a container without one, after a while."""
    stream = await _stored(workspace, workspace.plain)
    await asyncio.sleep(3 * _TTL_SECONDS)
    return await _status(workspace.plain, stream, "expiring")


async def _stored(workspace: Workspace, container: ContainerProxy) -> str:
    """Return a stream with an item that expires and one that does not."""
    stream = workspace.stream()
    await container.create_item(workspace.document(stream, "kept"))
    await container.create_item(workspace.document(stream, "expiring", ttl=_TTL_SECONDS))
    return stream


async def _status_after_expiry(container: ContainerProxy, stream: str) -> str:
    for _ in range(_POLLS):
        code = await _status(container, stream, "expiring")
        if code != "200":
            break
        await asyncio.sleep(_PAUSE_SECONDS)
    return code


async def _status(container: ContainerProxy, stream: str, item_id: str) -> str:
    answer = await answer_to(
        lambda hook: container.read_item(item_id, stream, raw_response_hook=hook)
    )
    return answer.code
