"""Beliefs about throttling, seen on a small container that is written to too fast."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from azure.cosmos import PartitionKey
from azure.cosmos.aio import CosmosClient
from azure.cosmos.exceptions import CosmosHttpResponseError

from local.conformance.answers import TOO_MANY_REQUESTS, answers_to, creates
from local.conformance.checks import NotCheckableError, check
from local.conformance.workspace import KILOBYTE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from azure.cosmos.aio import ContainerProxy

    from local.conformance.answers import Answers
    from local.conformance.workspace import Workspace

_THROUGHPUT = 400
_ROUNDS = 20
_AT_ONCE = 8


@check("throttled.request", believed="429/3200 to 1 request, with milliseconds to wait")
async def request(workspace: Workspace) -> str:
    """Return what a client whose own retries are off is answered without throughput left."""
    async with _small_container(workspace) as container:
        answers = await _exhaust(workspace, container)
    told = int(answers.all[-1].headers.get("x-ms-retry-after-ms", 0)) > 0
    wait = "with" if told else "without"
    return f"{answers.codes} to {len(answers.all)} request, {wait} milliseconds to wait"


async def _exhaust(workspace: Workspace, container: ContainerProxy) -> Answers:
    """Send batches that each cost more than a second's throughput until one is throttled."""
    for _ in range(_ROUNDS):
        sent = [_write(workspace, container) for _ in range(_AT_ONCE)]
        for answers in await asyncio.gather(*sent):
            if answers.all[-1].status == TOO_MANY_REQUESTS:
                return answers
    raise NotCheckableError(f"{_THROUGHPUT} RU/s could not be used up")


async def _write(workspace: Workspace, container: ContainerProxy) -> Answers:
    stream = workspace.stream()
    documents = [workspace.sized(stream, KILOBYTE) for _ in range(100)]
    return await answers_to(
        lambda hook: container.execute_item_batch(
            creates(documents), stream, raw_response_hook=hook
        )
    )


@asynccontextmanager
async def _small_container(workspace: Workspace) -> AsyncIterator[ContainerProxy]:
    """Create a container with the least throughput, for a client that does not retry."""
    try:
        await workspace.database.create_container(
            "small", PartitionKey("/streamId"), offer_throughput=_THROUGHPUT
        )
    except CosmosHttpResponseError as error:
        raise NotCheckableError("the account is serverless") from error
    target = workspace.target
    async with CosmosClient(target.endpoint, target.key, retry_throttle_total=-1) as client:
        database = client.get_database_client(workspace.database.id)
        yield database.get_container_client("small")
    await workspace.database.delete_container("small")
