"""A client of the application: over HTTP, as any other."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from itertools import cycle
from typing import TYPE_CHECKING, Any

import aiohttp
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_delay, wait_exponential

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from uuid import UUID

    from typing_extensions import Self

    from local.stage.follows import Follow

_PATIENCE = 120.0
"""Seconds that one request is tried again while a host is away or the account is throttled."""


class ApplicationError(Exception):
    """The application answered what it should not have."""


class _TryAgainError(Exception):
    """The application could not answer for now."""


class Client:
    """Sends commands and reads entities; an async context manager.

    Args:
        urls: Of the Functions hosts, which take turns.
        key: Function key.
        concurrency: Requests in flight.
    """

    def __init__(self, urls: Sequence[str], key: str, concurrency: int) -> None:
        self._urls = cycle(urls)
        self._key = key
        self._concurrency = concurrency
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        """Open the connections."""
        self._session = aiohttp.ClientSession(
            headers={"x-functions-key": self._key},
            connector=aiohttp.TCPConnector(limit=self._concurrency),
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()

    async def follow_all(self, follows: Sequence[Follow], advance: Callable[[], None]) -> None:
        """Send every follow as a command; self-follows must be refused.

        The idempotency key follows from the pair, so a line that comes twice is one request
        repeated, and a request whose reply was lost may be sent again.

        Raises:
            ApplicationError: A command was answered wrongly.
        """
        waiting = iter(follows)

        async def work() -> None:
            for follow in waiting:
                await self.follow(follow)
                advance()

        await _together([work() for _ in range(self._concurrency)])

    async def followships(
        self, users: Sequence[UUID], advance: Callable[[], None]
    ) -> dict[UUID, dict[str, Any]]:
        """Every user's entity; empty for users that have none."""
        waiting = iter(users)
        found: dict[UUID, dict[str, Any]] = {}

        async def work() -> None:
            for user in waiting:
                status, body = await self._request("GET", f"/api/entities/followship/{user}")
                found[user] = body if status == HTTPStatus.OK else {}
                advance()

        await _together([work() for _ in range(self._concurrency)])
        return found

    async def projections(self) -> list[dict[str, Any]]:
        """How far every projection module is.

        Raises:
            ApplicationError: It is not told.
        """
        status, body = await self._request("GET", "/api/projections")
        if status != HTTPStatus.OK:
            raise ApplicationError(f"GET /api/projections was answered {status}: {body}.")
        projections: list[dict[str, Any]] = body["projections"]
        return projections

    async def follow(self, follow: Follow) -> list[str]:
        """Send a follow as a command; the ids of its events, none where it is refused.

        Raises:
            ApplicationError: The command was answered wrongly.
        """
        status, body = await self._request(
            "POST",
            "/api/commands/follow",
            headers={"Idempotency-Key": f"{follow.follower}:{follow.followed}"},
            json={"user_id": str(follow.follower), "to_follow": str(follow.followed)},
        )
        expected = HTTPStatus.BAD_REQUEST if follow.to_oneself else HTTPStatus.ACCEPTED
        if status != expected:
            raise ApplicationError(f"{follow} was answered {status}, not {int(expected)}: {body}.")
        found: list[str] = body.get("events", [])
        return found

    async def replay_all(self) -> dict[str, Any]:
        """Replay all dead letters, as many calls as it takes: how many are gone, which are kept.

        Raises:
            ApplicationError: It is refused.
        """
        done = 0
        while True:
            status, body = await self._request("POST", "/api/deadletters/replay?projection=*")
            if status != HTTPStatus.OK:
                raise ApplicationError(f"The replay was answered {status}: {body}.")
            done += body["done"]
            if not body["left"]:
                return {"done": done, "kept": body["kept"]}

    async def _request(self, method: str, path: str, **options: Any) -> tuple[int, Any]:  # noqa: ANN401 - aiohttp's options
        retrying = AsyncRetrying(
            retry=retry_if_exception_type((_TryAgainError, aiohttp.ClientError)),
            wait=wait_exponential(multiplier=0.1, max=2),
            stop=stop_after_delay(_PATIENCE),
            reraise=True,
        )
        try:
            return await retrying(self._send, method, path, **options)
        except (_TryAgainError, aiohttp.ClientError) as error:
            raise ApplicationError(
                f"{method} {path} was not answered for {_PATIENCE:.0f} s: {error}."
            ) from error

    async def _send(self, method: str, path: str, **options: Any) -> tuple[int, Any]:  # noqa: ANN401 - as above
        if self._session is None:
            raise RuntimeError("Use the client as an async context manager.")
        async with self._session.request(method, next(self._urls) + path, **options) as response:
            if response.status == HTTPStatus.SERVICE_UNAVAILABLE:
                raise _TryAgainError(await response.text())
            return response.status, await response.json(content_type=None)


async def _together(work: Sequence[Any]) -> None:
    """Run all; when one fails the others are stopped."""
    tasks = [asyncio.ensure_future(each) for each in work]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
