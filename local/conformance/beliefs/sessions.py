"""Beliefs about session tokens."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from azure.cosmos.aio import CosmosClient

from local.conformance.answers import Answers, answer_to, answers_to, bulk, operation
from local.conformance.checks import check
from local.conformance.feed import feed_of

if TYPE_CHECKING:
    from azure.cosmos.aio import ContainerProxy

    from local.conformance.answers import Answer
    from local.conformance.workspace import Workspace

_GIVEN = "status {}, token of the partition's range"
_AHEAD = 1_000_000
_ROUNDS = 20


@check("session.create", believed=_GIVEN.format(201))
async def create(workspace: Workspace) -> str:
    """Return whether a create is answered with a session token."""
    stream = workspace.stream()
    document = workspace.document(stream)
    answer = await answer_to(
        lambda hook: workspace.events.create_item(document, raw_response_hook=hook)
    )
    return await _given(workspace, stream, answer)


@check("session.refused_create", believed=_GIVEN.format(409))
async def refused_create(workspace: Workspace) -> str:
    """Return whether a refused create is answered with a session token."""
    stream = workspace.stream()
    document = await workspace.events.create_item(workspace.document(stream))
    answer = await answer_to(
        lambda hook: workspace.events.create_item(document, raw_response_hook=hook)
    )
    return await _given(workspace, stream, answer)


@check("session.batch", believed=_GIVEN.format(200))
async def batch(workspace: Workspace) -> str:
    """Return whether a transactional batch is answered with a session token."""
    stream = workspace.stream()
    answer = await workspace.append(stream, workspace.document(stream))
    return await _given(workspace, stream, answer)


@check("session.refused_batch", believed=_GIVEN.format(207))
async def refused_batch(workspace: Workspace) -> str:
    """Return whether a refused batch is answered with a session token."""
    stream = workspace.stream()
    document = workspace.document(stream)
    await workspace.append(stream, document)
    return await _given(workspace, stream, await workspace.append(stream, document))


@check("session.bulk", believed=_GIVEN.format(200))
async def bulk_request(workspace: Workspace) -> str:
    """Return whether a bulk request is answered with a session token."""
    stream = workspace.stream()
    upsert = operation("Upsert", stream, resourceBody=workspace.document(stream))
    answer = await bulk(workspace.events, await workspace.range_id(stream), [upsert])
    return await _given(workspace, stream, answer)


@check("session.read", believed=f"{_ROUNDS} of {_ROUNDS}")
async def read(workspace: Workspace) -> str:
    """Return how many batches a stranger sees at once who is given their token."""
    seen = 0
    for _ in range(_ROUNDS):
        document = workspace.document(workspace.stream())
        token = (await workspace.append(document["streamId"], document)).session_token
        seen += (await _read_as_stranger(workspace, document, token)).codes == "200"
    return f"{seen} of {_ROUNDS}"


@check("session.ahead_read", believed="404/1002")
async def ahead_read(workspace: Workspace) -> str:
    """Return the first answer to a read with a token that no replica can have reached."""
    return (await _read_as_stranger(workspace, *await _ahead(workspace))).all[0].code


@check("session.ahead_query", believed="404/1002")
async def ahead_query(workspace: Workspace) -> str:
    """Return the first answer to a query with such a token."""
    document, token = await _ahead(workspace)

    async def query(hook: Answers) -> None:
        items = workspace.as_stranger().query_items(
            "SELECT * FROM c",
            partition_key=document["streamId"],
            session_token=token,
            raw_response_hook=hook,
        )
        _ = [item async for item in items]

    return (await answers_to(query)).all[0].code


@check("session.ahead_feed", believed="404/1002")
async def ahead_feed(workspace: Workspace) -> str:
    """Return the first answer to a read of the feed with such a token."""
    document, token = await _ahead(workspace)
    feed = await feed_of(workspace.as_stranger(), document["streamId"])

    async def read_feed(hook: Answers) -> None:
        items = feed.container.query_items_change_feed(
            feed_range=feed.feed_range,
            start_time="Beginning",
            session_token=token,
            raw_response_hook=hook,
        )
        _ = [item async for item in items]

    return (await answers_to(read_feed)).all[0].code


@check("session.sdk_ahead", believed="404/1002, 404/1002")
async def sdk_ahead(workspace: Workspace) -> str:
    """Return all answers to such a read: the SDK sends it twice."""
    return (await _read_as_stranger(workspace, *await _ahead(workspace))).codes


@check("session.sdk_create", believed="sent")
async def sdk_create(workspace: Workspace) -> str:
    """Return whether the SDK sends the token of a create with the next read."""
    document = workspace.document(workspace.stream())
    answer = await answer_to(
        lambda hook: workspace.events.create_item(document, raw_response_hook=hook)
    )
    return await _sent(workspace.events, document, answer.session_token)


@check("session.sdk_batch", believed="not sent")
async def sdk_batch(workspace: Workspace) -> str:
    """Return whether the SDK sends the token of a batch with the next read (4.17 forgets it)."""
    document = workspace.document(workspace.stream())
    answer = await workspace.append(document["streamId"], document)
    return await _sent(workspace.events, document, answer.session_token)


@check("session.sdk_unopened", believed="not sent")
async def sdk_unopened(workspace: Workspace) -> str:
    """Return whether a client sends the token it is given before it is opened by `async with`."""
    document = workspace.document(workspace.stream())
    token = (await workspace.append(document["streamId"], document)).session_token
    client = CosmosClient(workspace.target.endpoint, workspace.target.key)
    try:
        container = client.get_database_client(workspace.database.id).get_container_client("events")
        return await _sent(container, document, token, given=token)
    finally:
        await client.close()


async def _given(workspace: Workspace, stream: str, answer: Answer) -> str:
    token_range, _, _ = answer.session_token.partition(":")
    if not answer.session_token:
        return f"status {answer.code}, no token"
    if token_range != await workspace.range_id(stream):
        return f"status {answer.code}, token of range {token_range}"
    return _GIVEN.format(answer.code)


async def _read_as_stranger(workspace: Workspace, document: dict[str, str], token: str) -> Answers:
    return await answers_to(
        lambda hook: workspace.as_stranger().read_item(
            document["id"], document["streamId"], session_token=token, raw_response_hook=hook
        )
    )


async def _ahead(workspace: Workspace) -> tuple[dict[str, str], str]:
    """Return an item that is stored, and a token far ahead of it."""
    document = workspace.document(workspace.stream())
    token = (await workspace.append(document["streamId"], document)).session_token
    matched = re.fullmatch(r"(\w+:-?\d+#)(\d+)(.*)", token)
    if matched is None:
        raise ValueError(f"the session token {token!r} has another form than range:version#lsn")
    return document, f"{matched[1]}{int(matched[2]) + _AHEAD}{matched[3]}"


async def _sent(
    container: ContainerProxy, document: dict[str, str], token: str, given: str | None = None
) -> str:
    """Return whether a read is sent with the token, which may be given to the SDK."""
    answer = await answer_to(
        lambda hook: container.read_item(
            document["id"], document["streamId"], session_token=given, raw_response_hook=hook
        )
    )
    return "sent" if answer.request.get("x-ms-session-token") == token else "not sent"
