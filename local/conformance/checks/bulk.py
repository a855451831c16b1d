"""Checks of bulk requests, with operations on several streams of one physical partition."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from local.conformance.check import NotCheckableError, check
from local.conformance.responses import bulk, operation
from local.conformance.workspace import KILOBYTE

if TYPE_CHECKING:
    from local.conformance.responses import Response
    from local.conformance.workspace import Workspace

_MAX_BYTES = 2 * KILOBYTE * KILOBYTE
_OPERATIONS_OVERHEAD = 140
"""The size in bytes of two operations without the item, and a margin."""

_MIXED = "207: 201, 200, 409, 404, 201"


@check("bulk.many_streams", expected="200: 201, 201, 201")
async def many_streams(workspace: Workspace) -> str:
    """Return the response to upserts of three streams in one request."""
    streams = await _streams_of_one_partition(workspace, 3)
    return _statuses(
        await _send(workspace, streams[0], [_upsert(workspace, stream) for stream in streams])
    )


@check("bulk.continues_on_error", expected=_MIXED)
async def continues_on_error(workspace: Workspace) -> str:
    """Return the status of each operation when some are rejected."""
    stream = workspace.stream()
    return _statuses(await _send(workspace, stream, await _mixed(workspace, stream)))


@check("bulk.stops_on_error", expected="207: 201, 200, 409, 424, 424")
async def stops_on_error(workspace: Workspace) -> str:
    """Return the status of each operation when the request is to stop on an error."""
    stream = workspace.stream()
    operations = await _mixed(workspace, stream)
    return _statuses(await _send(workspace, stream, operations, continue_on_error=False))


@check("bulk.reads", expected="207: 200, 404; body d")
async def reads(workspace: Workspace) -> str:
    """Return the response to reads of an existing and a missing item."""
    stream = workspace.stream()
    await workspace.append(stream, workspace.document(stream, "d"))
    operations = [operation("Read", stream, id=name) for name in ("d", "missing")]
    response = await _send(workspace, stream, operations)
    return f"{_statuses(response)}; body {response.results[0]['resourceBody']['id']}"


@check("bulk.result_members", expected="statusCode and requestCharge in each of 2")
async def result_members(workspace: Workspace) -> str:
    """Return the number of results with the members that the engine reads."""
    stream = workspace.stream()
    response = await _send(
        workspace, stream, [_upsert(workspace, stream), _upsert(workspace, stream)]
    )
    complete = sum({"statusCode", "requestCharge"} <= result.keys() for result in response.results)
    return f"statusCode and requestCharge in each of {complete}"


@check("bulk.invalid_item", expected="207: 201, 400, 201")
async def invalid_item(workspace: Workspace) -> str:
    """Return the status of each operation when one item has an invalid id."""
    stream = workspace.stream()
    wrong = operation("Upsert", stream, resourceBody={"id": 7, "streamId": stream})
    operations = [_upsert(workspace, stream), wrong, _upsert(workspace, stream)]
    return _statuses(await _send(workspace, stream, operations))


@check("bulk.large_item", expected="207: 404, 413")
async def large_item(workspace: Workspace) -> str:
    """Return the status of each operation when one item is over 2 MB once stored.

    The request is smaller, because system properties add about 200 bytes.
    """
    item = {"id": "1", "streamId": "s", "text": ""}
    item["text"] = "x" * (_MAX_BYTES - _OPERATIONS_OVERHEAD - len(json.dumps(item)))
    operations = [
        operation("Read", "s", id="1"),
        operation("Upsert", "s", resourceBody=item),
    ]
    return _statuses(await _send(workspace, "s", operations))


@check("bulk.over_2_mb", expected="413")
async def over_2_mb(workspace: Workspace) -> str:
    """Return the status of a request that is too large as a whole."""
    stream = workspace.stream()
    bodies = [workspace.sized(stream, 900 * KILOBYTE) for _ in range(3)]
    operations = [operation("Upsert", stream, resourceBody=body) for body in bodies]
    return (await _send(workspace, stream, operations)).code


@check("bulk.other_partition", expected="207: 201, 410/1002")
async def other_partition(workspace: Workspace) -> str:
    """Return the status of each operation when one stream is in another physical partition."""
    stream = workspace.stream()
    range_id = await workspace.range_id(stream)
    if len(await workspace.range_ids()) == 1:
        raise NotCheckableError("the container has one physical partition")
    while await workspace.range_id(other := workspace.stream()) == range_id:
        pass
    return _statuses(
        await _send(workspace, stream, [_upsert(workspace, stream), _upsert(workspace, other)])
    )


async def _streams_of_one_partition(workspace: Workspace, count: int) -> list[str]:
    """Return streams of one physical partition."""
    streams = [workspace.stream()]
    range_id = await workspace.range_id(streams[0])
    while len(streams) < count:
        if await workspace.range_id(other := workspace.stream()) == range_id:
            streams.append(other)
    return streams


async def _mixed(workspace: Workspace, stream: str) -> list[dict[str, Any]]:
    """Return operations on new, existing and missing items, of which two fail."""
    existing = await workspace.events.create_item(workspace.document(stream))
    body = workspace.document(stream, existing["id"])
    return [
        _upsert(workspace, stream),
        operation("Upsert", stream, resourceBody=body),
        operation("Create", stream, resourceBody=body),
        operation("Read", stream, id="missing"),
        _upsert(workspace, stream),
    ]


def _upsert(workspace: Workspace, stream: str) -> dict[str, Any]:
    return operation("Upsert", stream, resourceBody=workspace.document(stream))


async def _send(
    workspace: Workspace,
    stream: str,
    operations: list[dict[str, Any]],
    *,
    continue_on_error: bool = True,
) -> Response:
    range_id = await workspace.range_id(stream)
    return await bulk(workspace.events, range_id, operations, continue_on_error=continue_on_error)


def _statuses(response: Response) -> str:
    return f"{response.code}: {response.operations}"
