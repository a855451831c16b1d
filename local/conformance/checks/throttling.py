"""Checks of throttling, in a small container that is written to too fast."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from azure.cosmos import PartitionKey
from azure.cosmos.aio import CosmosClient
from azure.cosmos.exceptions import CosmosHttpResponseError

from local.conformance.check import NotCheckableError, check
from local.conformance.responses import TOO_MANY_REQUESTS, creates, responses_to
from local.conformance.workspace import KILOBYTE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from azure.cosmos.aio import ContainerProxy

    from local.conformance.responses import Responses
    from local.conformance.workspace import Workspace

_THROUGHPUT = 400
_ROUNDS = 20
_CONCURRENT_BATCHES = 8


@check("throttled.request", expected="429/3200 to 1 request, with a retry-after delay")
async def request(workspace: Workspace) -> str:
    """Return the response to a client without retries when the throughput is exhausted."""
    async with _small_container(workspace) as container:
        responses = await _exhaust(workspace, container)
    has_delay = int(responses.all[-1].headers.get("x-ms-retry-after-ms", 0)) > 0
    delay = "with" if has_delay else "without"
    return f"{responses.codes} to {len(responses.all)} request, {delay} a retry-after delay"


async def _exhaust(workspace: Workspace, container: ContainerProxy) -> Responses:
    """Send batches that cost more than the throughput of one second, until one is throttled."""
    for _ in range(_ROUNDS):
        batches = [_write(workspace, container) for _ in range(_CONCURRENT_BATCHES)]
        for responses in await asyncio.gather(*batches):
            if responses.all[-1].status == TOO_MANY_REQUESTS:
                return responses
    raise NotCheckableError(f"{_THROUGHPUT} RU/s could not be exhausted")


async def _write(workspace: Workspace, container: ContainerProxy) -> Responses:
    stream = workspace.stream()
    documents = [workspace.sized(stream, KILOBYTE) for _ in range(100)]
    return await responses_to(
        lambda hook: container.execute_item_batch(
            creates(documents), stream, raw_response_hook=hook
        )
    )


@asynccontextmanager
async def _small_container(workspace: Workspace) -> AsyncIterator[ContainerProxy]:
    """Create a container with the minimum throughput, for a client that does not retry."""
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
