"""Beliefs about transactional batches."""

from __future__ import annotations

from typing import TYPE_CHECKING

from azure.cosmos.exceptions import CosmosBatchOperationError

from core.quotas import MAX_REQUEST_BYTES
from local.conformance.answers import answer_to, creates
from local.conformance.checks import check
from local.conformance.workspace import KILOBYTE

if TYPE_CHECKING:
    from local.conformance.answers import Answer
    from local.conformance.workspace import Workspace

_ROUNDS = 20


@check("batch.accepted", believed="200: 201, 201, 201")
async def accepted(workspace: Workspace) -> str:
    """Return the answer to a batch of three creates."""
    stream = workspace.stream()
    answer = await workspace.append(stream, *(workspace.document(stream) for _ in range(3)))
    return f"{answer.code}: {answer.operations}"


@check("batch.refused", believed="207: 424, 409, 424")
async def refused(workspace: Workspace) -> str:
    """Return the answer to a batch whose second id is taken."""
    stream = workspace.stream()
    answer = await _refused_second(workspace, stream)
    return f"{answer.code}: {answer.operations}"


@check("batch.refused_writes_nothing", believed="404")
async def refused_writes_nothing(workspace: Workspace) -> str:
    """Return the status of a read of the first item of a refused batch."""
    stream = workspace.stream()
    token = (await _refused_second(workspace, stream)).session_token
    answer = await answer_to(
        lambda hook: workspace.events.read_item(
            "a", stream, session_token=token, raw_response_hook=hook
        )
    )
    return answer.code


@check("batch.first_conflict_decides", believed="207: 409, 424")
async def first_conflict_decides(workspace: Workspace) -> str:
    """Return the answer to a batch of two ids that are both taken."""
    stream = workspace.stream()
    documents = [workspace.document(stream), workspace.document(stream)]
    await workspace.append(stream, *documents)
    answer = await workspace.append(stream, *documents)
    return f"{answer.code}: {answer.operations}"


@check("batch.sdk_error", believed="409 at index 1 of 3 responses")
async def sdk_error(workspace: Workspace) -> str:
    """Return what the SDK's exception says of a refused batch."""
    stream = workspace.stream()
    taken = workspace.document(stream)
    documents = [workspace.document(stream), taken, workspace.document(stream)]
    await workspace.append(stream, taken)
    try:
        await workspace.events.execute_item_batch(creates(documents), stream)
    except CosmosBatchOperationError as error:
        responses = len(error.operation_responses or ())
        return f"{error.status_code} at index {error.error_index} of {responses} responses"
    return "no exception"


@check("batch.read_of_one", believed="200: 200, body d")
async def read_of_one(workspace: Workspace) -> str:
    """Return the answer to a batch of one read."""
    stream = workspace.stream()
    await workspace.append(stream, workspace.document(stream, "d"))
    answer = await workspace.read_in_batch(stream, "d")
    return f"{answer.code}: {answer.operations}, body {answer.results[0]['resourceBody']['id']}"


@check("batch.read_of_missing", believed="207: 404")
async def read_of_missing(workspace: Workspace) -> str:
    """Return the answer to a batch of one read of an item that does not exist."""
    answer = await workspace.read_in_batch(workspace.stream(), "missing")
    return f"{answer.code}: {answer.operations}"


@check("batch.read_is_current", believed=f"{_ROUNDS} of {_ROUNDS}")
async def read_is_current(workspace: Workspace) -> str:
    """Return how many batches a stranger sees at once by a batch of one read, without a token."""
    seen = 0
    for _ in range(_ROUNDS):
        stream = workspace.stream()
        await workspace.append(stream, workspace.document(stream, "d"))
        answer = await workspace.read_in_batch(stream, "d", as_stranger=True)
        seen += answer.operations == "200"
    return f"{seen} of {_ROUNDS}"


@check("batch.101_operations", believed="400")
async def too_many(workspace: Workspace) -> str:
    """Return the answer to a batch of more operations than are allowed."""
    stream = workspace.stream()
    documents = [workspace.document(stream) for _ in range(101)]
    return (await workspace.append(stream, *documents)).code


@check("batch.almost_2_mb", believed="200: 201, 201")
async def almost_too_large(workspace: Workspace) -> str:
    """Return the answer to a batch of as many bytes as the engine sends at most."""
    stream = workspace.stream()
    documents = [workspace.sized(stream, MAX_REQUEST_BYTES // 2 - KILOBYTE) for _ in range(2)]
    answer = await workspace.append(stream, *documents)
    return f"{answer.code}: {answer.operations}"


@check("batch.over_2_mb", believed="413")
async def too_large(workspace: Workspace) -> str:
    """Return the answer to a batch of items that are small enough, but not together."""
    stream = workspace.stream()
    documents = [workspace.sized(stream, 900 * KILOBYTE) for _ in range(3)]
    return (await workspace.append(stream, *documents)).code


async def _refused_second(workspace: Workspace, stream: str) -> Answer:
    """Return the answer to a batch of the ids a, b and c, of which b is taken."""
    await workspace.append(stream, workspace.document(stream, "b"))
    return await workspace.append(stream, *(workspace.document(stream, name) for name in "abc"))
