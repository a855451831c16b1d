"""Checks of transactional batches."""

from __future__ import annotations

from typing import TYPE_CHECKING

from azure.cosmos.exceptions import CosmosBatchOperationError

from core.quotas import MAX_REQUEST_BYTES
from local.conformance.check import check
from local.conformance.responses import creates, response_to
from local.conformance.workspace import KILOBYTE

if TYPE_CHECKING:
    from local.conformance.responses import Response
    from local.conformance.workspace import Workspace

_ROUNDS = 20


@check("batch.accepted", expected="200: 201, 201, 201")
async def accepted(workspace: Workspace) -> str:
    """Return the response to a batch of three creates."""
    stream = workspace.stream()
    response = await workspace.append(stream, *(workspace.document(stream) for _ in range(3)))
    return f"{response.code}: {response.operations}"


@check("batch.rejected", expected="207: 424, 409, 424")
async def rejected(workspace: Workspace) -> str:
    """Return the response to a batch whose second id exists."""
    stream = workspace.stream()
    response = await _append_with_conflict(workspace, stream)
    return f"{response.code}: {response.operations}"


@check("batch.rejected_writes_nothing", expected="404")
async def rejected_writes_nothing(workspace: Workspace) -> str:
    """Return the status of a read of the first item of a rejected batch."""
    stream = workspace.stream()
    token = (await _append_with_conflict(workspace, stream)).session_token
    response = await response_to(
        lambda hook: workspace.events.read_item(
            "a", stream, session_token=token, raw_response_hook=hook
        )
    )
    return response.code


@check("batch.first_conflict_decides", expected="207: 409, 424")
async def first_conflict_decides(workspace: Workspace) -> str:
    """Return the response to a batch whose two ids both exist."""
    stream = workspace.stream()
    documents = [workspace.document(stream), workspace.document(stream)]
    await workspace.append(stream, *documents)
    response = await workspace.append(stream, *documents)
    return f"{response.code}: {response.operations}"


@check("batch.sdk_error", expected="409 at index 1 of 3 responses")
async def sdk_error(workspace: Workspace) -> str:
    """Return the contents of the SDK's exception for a rejected batch."""
    stream = workspace.stream()
    existing = workspace.document(stream)
    documents = [workspace.document(stream), existing, workspace.document(stream)]
    await workspace.append(stream, existing)
    try:
        await workspace.events.execute_item_batch(creates(documents), stream)
    except CosmosBatchOperationError as error:
        responses = len(error.operation_responses or ())
        return f"{error.status_code} at index {error.error_index} of {responses} responses"
    return "no exception"


@check("batch.read_of_one", expected="200: 200, body d")
async def read_of_one(workspace: Workspace) -> str:
    """Return the response to a batch of one read."""
    stream = workspace.stream()
    await workspace.append(stream, workspace.document(stream, "d"))
    response = await workspace.read_in_batch(stream, "d")
    return (
        f"{response.code}: {response.operations}, body {response.results[0]['resourceBody']['id']}"
    )


@check("batch.read_of_missing", expected="207: 404")
async def read_of_missing(workspace: Workspace) -> str:
    """Return the response to a batch of one read of an item that does not exist."""
    response = await workspace.read_in_batch(workspace.stream(), "missing")
    return f"{response.code}: {response.operations}"


@check("batch.read_is_current", expected=f"{_ROUNDS} of {_ROUNDS}")
async def read_is_current(workspace: Workspace) -> str:
    """Return how many batches another client reads at once by a batch, without a session token."""
    visible = 0
    for _ in range(_ROUNDS):
        stream = workspace.stream()
        await workspace.append(stream, workspace.document(stream, "d"))
        response = await workspace.read_in_batch(stream, "d", by_second_client=True)
        visible += response.operations == "200"
    return f"{visible} of {_ROUNDS}"


@check("batch.101_operations", expected="400")
async def too_many(workspace: Workspace) -> str:
    """Return the response to a batch with more than the allowed number of operations."""
    stream = workspace.stream()
    documents = [workspace.document(stream) for _ in range(101)]
    return (await workspace.append(stream, *documents)).code


@check("batch.almost_2_mb", expected="200: 201, 201")
async def almost_too_large(workspace: Workspace) -> str:
    """Return the response to a batch of the maximum size that the engine sends."""
    stream = workspace.stream()
    documents = [workspace.sized(stream, MAX_REQUEST_BYTES // 2 - KILOBYTE) for _ in range(2)]
    response = await workspace.append(stream, *documents)
    return f"{response.code}: {response.operations}"


@check("batch.over_2_mb", expected="413")
async def too_large(workspace: Workspace) -> str:
    """Return the response to a batch that exceeds the limit, with items that do not."""
    stream = workspace.stream()
    documents = [workspace.sized(stream, 900 * KILOBYTE) for _ in range(3)]
    return (await workspace.append(stream, *documents)).code


async def _append_with_conflict(workspace: Workspace, stream: str) -> Response:
    """Return the response to a batch of the ids a, b and c, of which b exists."""
    await workspace.append(stream, workspace.document(stream, "b"))
    return await workspace.append(stream, *(workspace.document(stream, name) for name in "abc"))
