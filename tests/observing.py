"""A client for assertions: its reads see every write, whatever the replica lag."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import aiohttp
from azure.core.pipeline.transport import AioHttpTransport
from azure.cosmos.aio import CosmosClient

from local.cosmos import WELL_KNOWN_KEY, EmbeddedCosmos

_SESSION = "x-ms-session-token"


class _LatestState(AioHttpTransport):  # type: ignore[misc] # the SDK's has no types
    """Sends each request for items with the session token of their container's latest state."""

    def __init__(self, endpoint: str) -> None:
        super().__init__()
        self._statistics = f"{endpoint}_local/statistics"

    async def send(self, request: Any, **options: Any) -> Any:
        kind, *path = urlsplit(request.url).path.strip("/").split("/")
        if kind == "dbs" and "docs" in path:
            request.headers[_SESSION] = await self._latest(f"{path[0]}/{path[2]}")
        return await super().send(request, **options)

    async def _latest(self, container: str) -> str:
        async with aiohttp.ClientSession() as session, session.get(self._statistics) as answer:
            containers = (await answer.json())["containers"]
        token: str = containers[container]["sessionToken"] if container in containers else ""
        return token


def observer_of(cosmos: EmbeddedCosmos) -> CosmosClient:
    """The real SDK as an observer of what others write."""
    return CosmosClient(cosmos.endpoint, WELL_KNOWN_KEY, transport=_LatestState(cosmos.endpoint))
