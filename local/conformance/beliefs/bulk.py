"""Beliefs about bulk requests: operations of many streams for one physical partition."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from local.conformance.answers import bulk, operation
from local.conformance.checks import NotCheckableError, check
from local.conformance.workspace import KILOBYTE

if TYPE_CHECKING:
    from local.conformance.answers import Answer
    from local.conformance.workspace import Workspace

_LIMIT = 2 * KILOBYTE * KILOBYTE
_ENVELOPES = 140
"""Bytes of two operations around an item, and a few more."""

_MIXED = "207: 201, 200, 409, 404, 201"


@check("bulk.many_streams", believed="200: 201, 201, 201")
async def many_streams(workspace: Workspace) -> str:
    """Return the answer to upserts of three streams in one request."""
    streams = await _neighbours(workspace, 3)
    return _told(await _send(workspace, streams[0], [_upsert(workspace, each) for each in streams]))


@check("bulk.continues_on_error", believed=_MIXED)
async def continues_on_error(workspace: Workspace) -> str:
    """Return the status of each operation where some are refused."""
    stream = workspace.stream()
    return _told(await _send(workspace, stream, await _mixed(workspace, stream)))


@check("bulk.stops_on_error", believed="207: 201, 200, 409, 424, 424")
async def stops_on_error(workspace: Workspace) -> str:
    """Return the same where the client does not want the request to go on after an error."""
    stream = workspace.stream()
    operations = await _mixed(workspace, stream)
    return _told(await _send(workspace, stream, operations, continue_on_error=False))


@check("bulk.reads", believed="207: 200, 404; body d")
async def reads(workspace: Workspace) -> str:
    """Return the answer to reads of an item that is stored and of one that is not."""
    stream = workspace.stream()
    await workspace.append(stream, workspace.document(stream, "d"))
    operations = [operation("Read", stream, id=name) for name in ("d", "missing")]
    answer = await _send(workspace, stream, operations)
    return f"{_told(answer)}; body {answer.results[0]['resourceBody']['id']}"


@check("bulk.result_members", believed="statusCode and requestCharge in each of 2")
async def result_members(workspace: Workspace) -> str:
    """Return how many results have the members that the engine reads."""
    stream = workspace.stream()
    answer = await _send(
        workspace, stream, [_upsert(workspace, stream), _upsert(workspace, stream)]
    )
    complete = sum({"statusCode", "requestCharge"} <= result.keys() for result in answer.results)
    return f"statusCode and requestCharge in each of {complete}"


@check("bulk.invalid_item", believed="207: 201, 400, 201")
async def invalid_item(workspace: Workspace) -> str:
    """Return the status of each operation where one item has no valid id."""
    stream = workspace.stream()
    wrong = operation("Upsert", stream, resourceBody={"id": 7, "streamId": stream})
    operations = [_upsert(workspace, stream), wrong, _upsert(workspace, stream)]
    return _told(await _send(workspace, stream, operations))


@check("bulk.large_item", believed="207: 404, 413")
async def large_item(workspace: Workspace) -> str:
    """Return the status of each operation where one item is over 2 MB as it would be stored.

    The request is not: it lacks the system properties, which take about 200 bytes.
    """
    item = {"id": "1", "streamId": "s", "text": ""}
    item["text"] = "x" * (_LIMIT - _ENVELOPES - len(json.dumps(item)))
    operations = [
        operation("Read", "s", id="1"),
        operation("Upsert", "s", resourceBody=item),
    ]
    return _told(await _send(workspace, "s", operations))


@check("bulk.over_2_mb", believed="413")
async def over_2_mb(workspace: Workspace) -> str:
    """Return the status of a request that is too large as a whole."""
    stream = workspace.stream()
    bodies = [workspace.sized(stream, 900 * KILOBYTE) for _ in range(3)]
    operations = [operation("Upsert", stream, resourceBody=body) for body in bodies]
    return (await _send(workspace, stream, operations)).code


@check("bulk.other_partition", believed="207: 201, 410/1002")
async def other_partition(workspace: Workspace) -> str:
    """Return the status of each operation where one stream is of another physical partition."""
    stream = workspace.stream()
    here = await workspace.range_id(stream)
    if len(await workspace.range_ids()) == 1:
        raise NotCheckableError("the container has one physical partition")
    while await workspace.range_id(other := workspace.stream()) == here:
        pass
    return _told(
        await _send(workspace, stream, [_upsert(workspace, stream), _upsert(workspace, other)])
    )


async def _neighbours(workspace: Workspace, count: int) -> list[str]:
    """Return streams of one physical partition."""
    streams = [workspace.stream()]
    here = await workspace.range_id(streams[0])
    while len(streams) < count:
        if await workspace.range_id(other := workspace.stream()) == here:
            streams.append(other)
    return streams


async def _mixed(workspace: Workspace, stream: str) -> list[dict[str, Any]]:
    """Return a new item, a replacing one, a taken id, a missing item, and a new item again."""
    taken = await workspace.events.create_item(workspace.document(stream))
    body = workspace.document(stream, taken["id"])
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
) -> Answer:
    range_id = await workspace.range_id(stream)
    return await bulk(workspace.events, range_id, operations, continue_on_error=continue_on_error)


def _told(answer: Answer) -> str:
    return f"{answer.code}: {answer.operations}"
