"""Checks of session tokens."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from azure.cosmos.aio import CosmosClient

from local.conformance.check import check
from local.conformance.feed import feed_for
from local.conformance.responses import Responses, bulk, operation, response_to, responses_to

if TYPE_CHECKING:
    from azure.cosmos.aio import ContainerProxy

    from local.conformance.responses import Response
    from local.conformance.workspace import Workspace

_OWN_RANGE = "status {}, token of the partition's range"
_AHEAD = 1_000_000
_ROUNDS = 20


@check("session.create", expected=_OWN_RANGE.format(201))
async def create(workspace: Workspace) -> str:
    """Return whether a create returns a session token."""
    stream = workspace.stream()
    document = workspace.document(stream)
    response = await response_to(
        lambda hook: workspace.events.create_item(document, raw_response_hook=hook)
    )
    return await _describe_token(workspace, stream, response)


@check("session.rejected_create", expected=_OWN_RANGE.format(409))
async def rejected_create(workspace: Workspace) -> str:
    """Return whether a rejected create returns a session token."""
    stream = workspace.stream()
    document = await workspace.events.create_item(workspace.document(stream))
    response = await response_to(
        lambda hook: workspace.events.create_item(document, raw_response_hook=hook)
    )
    return await _describe_token(workspace, stream, response)


@check("session.batch", expected=_OWN_RANGE.format(200))
async def batch(workspace: Workspace) -> str:
    """Return whether a transactional batch returns a session token."""
    stream = workspace.stream()
    response = await workspace.append(stream, workspace.document(stream))
    return await _describe_token(workspace, stream, response)


@check("session.rejected_batch", expected=_OWN_RANGE.format(207))
async def rejected_batch(workspace: Workspace) -> str:
    """Return whether a rejected batch returns a session token."""
    stream = workspace.stream()
    document = workspace.document(stream)
    await workspace.append(stream, document)
    return await _describe_token(workspace, stream, await workspace.append(stream, document))


@check("session.bulk", expected=_OWN_RANGE.format(200))
async def bulk_request(workspace: Workspace) -> str:
    """Return whether a bulk request returns a session token."""
    stream = workspace.stream()
    upsert = operation("Upsert", stream, resourceBody=workspace.document(stream))
    response = await bulk(workspace.events, await workspace.range_id(stream), [upsert])
    return await _describe_token(workspace, stream, response)


@check("session.read", expected=f"{_ROUNDS} of {_ROUNDS}")
async def read(workspace: Workspace) -> str:
    """Return how many batches another client reads at once with their session token."""
    visible = 0
    for _ in range(_ROUNDS):
        document = workspace.document(workspace.stream())
        token = (await workspace.append(document["streamId"], document)).session_token
        visible += (await _read_by_second_client(workspace, document, token)).codes == "200"
    return f"{visible} of {_ROUNDS}"


@check("session.ahead_read", expected="404/1002")
async def ahead_read(workspace: Workspace) -> str:
    """Return the first response to a read with a token that is ahead of every replica."""
    return (await _read_by_second_client(workspace, *await _token_ahead(workspace))).all[0].code


@check("session.ahead_query", expected="404/1002")
async def ahead_query(workspace: Workspace) -> str:
    """Return the first response to a query with a token that is ahead of every replica."""
    document, token = await _token_ahead(workspace)

    async def query(hook: Responses) -> None:
        items = workspace.events_in_second_client().query_items(
            "SELECT * FROM c",
            partition_key=document["streamId"],
            session_token=token,
            raw_response_hook=hook,
        )
        _ = [item async for item in items]

    return (await responses_to(query)).all[0].code


@check("session.ahead_feed", expected="404/1002")
async def ahead_feed(workspace: Workspace) -> str:
    """Return the first response to a feed read with a token that is ahead of every replica."""
    document, token = await _token_ahead(workspace)
    feed = await feed_for(workspace.events_in_second_client(), document["streamId"])

    async def read_feed(hook: Responses) -> None:
        items = feed.container.query_items_change_feed(
            feed_range=feed.feed_range,
            start_time="Beginning",
            session_token=token,
            raw_response_hook=hook,
        )
        _ = [item async for item in items]

    return (await responses_to(read_feed)).all[0].code


@check("session.sdk_ahead", expected="404/1002, 404/1002")
async def sdk_ahead(workspace: Workspace) -> str:
    """Return all responses to a read with a token that is ahead, which the SDK retries once."""
    return (await _read_by_second_client(workspace, *await _token_ahead(workspace))).codes


@check("session.sdk_create", expected="sent")
async def sdk_create(workspace: Workspace) -> str:
    """Return whether the SDK sends the token of a create with the next read."""
    document = workspace.document(workspace.stream())
    response = await response_to(
        lambda hook: workspace.events.create_item(document, raw_response_hook=hook)
    )
    return await _is_sent(workspace.events, document, response.session_token)


@check("session.sdk_batch", expected="not sent")
async def sdk_batch(workspace: Workspace) -> str:
    """Return whether the SDK sends the token of a batch with the next read (4.17 drops it)."""
    document = workspace.document(workspace.stream())
    response = await workspace.append(document["streamId"], document)
    return await _is_sent(workspace.events, document, response.session_token)


@check("session.sdk_unopened", expected="not sent")
async def sdk_unopened(workspace: Workspace) -> str:
    """Return whether a client that is not opened by `async with` sends the token of the caller."""
    document = workspace.document(workspace.stream())
    token = (await workspace.append(document["streamId"], document)).session_token
    client = CosmosClient(workspace.target.endpoint, workspace.target.key)
    try:
        container = client.get_database_client(workspace.database.id).get_container_client("events")
        return await _is_sent(container, document, token, given=token)
    finally:
        await client.close()


async def _describe_token(workspace: Workspace, stream: str, response: Response) -> str:
    token_range, _, _ = response.session_token.partition(":")
    if not response.session_token:
        return f"status {response.code}, no token"
    if token_range != await workspace.range_id(stream):
        return f"status {response.code}, token of range {token_range}"
    return _OWN_RANGE.format(response.code)


async def _read_by_second_client(
    workspace: Workspace, document: dict[str, str], token: str
) -> Responses:
    return await responses_to(
        lambda hook: workspace.events_in_second_client().read_item(
            document["id"], document["streamId"], session_token=token, raw_response_hook=hook
        )
    )


async def _token_ahead(workspace: Workspace) -> tuple[dict[str, str], str]:
    """Return a stored item, and a session token far ahead of it."""
    document = workspace.document(workspace.stream())
    token = (await workspace.append(document["streamId"], document)).session_token
    matched = re.fullmatch(r"(\w+:-?\d+#)(\d+)(.*)", token)
    if matched is None:
        raise ValueError(f"the session token {token!r} does not have the format range:version#lsn")
    return document, f"{matched[1]}{int(matched[2]) + _AHEAD}{matched[3]}"


async def _is_sent(
    container: ContainerProxy, document: dict[str, str], token: str, given: str | None = None
) -> str:
    """Return whether the SDK sends the token with a read, for which a token may be given."""
    response = await response_to(
        lambda hook: container.read_item(
            document["id"], document["streamId"], session_token=given, raw_response_hook=hook
        )
    )
    return "sent" if response.request.get("x-ms-session-token") == token else "not sent"
