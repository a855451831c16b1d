"""A proxy before the embedded Cosmos DB that spoils its answers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

import aiohttp
from aiohttp import web
from typing_extensions import Self


@dataclass
class SpoiledResponse:
    """A response on its way back; one that is cut ends before its body does."""

    status: int
    headers: dict[str, str]
    body: bytes
    is_cut: bool = False


@dataclass
class Meddler:
    """Passes requests on and spoils answers; an async context manager.

    Attributes:
        target: The endpoint of the embedded Cosmos DB.
        spoil: What is done to each answer.
        spoiled: How many answers were spoiled.
        requests: How many requests came.
        is_silent: Whether nothing is answered any more.
    """

    target: str
    spoil: Callable[[SpoiledResponse], None] | None = None
    spoiled: int = 0
    requests: int = 0
    is_silent: bool = False
    endpoint: str = ""
    _runner: web.AppRunner | None = None
    _session: aiohttp.ClientSession | None = field(default=None)

    async def __aenter__(self) -> Self:
        """Begin to serve."""
        self._session = aiohttp.ClientSession(auto_decompress=False)
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.endpoint = f"http://127.0.0.1:{self._runner.addresses[0][1]}/"
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop serving."""
        assert self._runner is not None
        assert self._session is not None
        await self._runner.cleanup()
        await self._session.close()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        self.requests += 1
        if self.is_silent:
            await asyncio.Event().wait()
        answer = await self._passed_on(request)
        if self.spoil is not None:
            self.spoil(answer)
            self.spoiled += 1
        response = web.StreamResponse(status=answer.status, headers=answer.headers)
        response.content_length = len(answer.body) + 10 * answer.is_cut
        await response.prepare(request)
        await response.write(answer.body)
        if answer.is_cut and request.transport is not None:
            request.transport.close()
        return response

    async def _passed_on(self, request: web.Request) -> SpoiledResponse:
        assert self._session is not None
        url = self.target.rstrip("/") + request.raw_path
        headers = {name: text for name, text in request.headers.items() if name != "Host"}
        async with self._session.request(
            request.method, url, headers=headers, data=await request.read()
        ) as response:
            kept = {name: text for name, text in response.headers.items() if _is_kept(name)}
            return SpoiledResponse(response.status, kept, await response.read())


def _is_kept(header: str) -> bool:
    return header.lower() not in {"content-length", "transfer-encoding", "connection"}
