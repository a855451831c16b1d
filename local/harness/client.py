"""A client that uses the application over HTTP, as any other client does."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from itertools import cycle
from typing import TYPE_CHECKING, Any

import aiohttp
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_delay, wait_exponential

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from uuid import UUID

    from typing_extensions import Self

    from local.harness.follows import Follow

_RETRY_TIMEOUT_SECONDS = 120.0
"""The time for which a request is retried while a host is down or the account is throttled."""


class ApplicationError(Exception):
    """The application returned an unexpected response, or none."""


class _UnavailableError(Exception):
    """The application is temporarily unavailable."""


class ApplicationClient:
    """Sends commands and reads entities; an async context manager.

    Args:
        urls: The URLs of the Functions hosts, which are used in turn.
        key: The function key.
        concurrency: The number of requests in flight.
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
        """Send every follow as a command; call `advance` after each.

        Raises:
            ApplicationError: As `follow`.
        """
        remaining = iter(follows)

        async def work() -> None:
            for follow in remaining:
                await self.follow(follow)
                advance()

        await _gather([work() for _ in range(self._concurrency)])

    async def follow(self, follow: Follow) -> list[str]:
        """Send a follow as a command; return the ids of its events, none for a self-follow.

        The idempotency key is made from the pair. So a line that occurs twice is one request
        repeated, and a request whose response was lost can be repeated.

        Raises:
            ApplicationError: If a follow is rejected, or a self-follow is accepted.
        """
        status, body = await self.send_command(
            "follow",
            {"user_id": str(follow.follower), "to_follow": str(follow.followed)},
            f"{follow.follower}:{follow.followed}",
        )
        expected = HTTPStatus.UNPROCESSABLE_ENTITY if follow.is_self_follow else HTTPStatus.ACCEPTED
        if status != expected:
            raise ApplicationError(f"{follow} returned {status}, expected {int(expected)}: {body}.")
        event_ids: list[str] = body.get("eventIds", [])
        return event_ids

    async def send_command(
        self, name: str, fields: Mapping[str, str], idempotency_key: str
    ) -> tuple[int, dict[str, Any]]:
        """Send a command, again while the application is unavailable; return status and answer.

        Raises:
            ApplicationError: If the application is unavailable for two minutes.
        """
        return await self._request(
            "POST",
            f"/api/commands/{name}",
            headers={"Idempotency-Key": idempotency_key},
            json=fields,
        )

    async def followships(
        self, users: Sequence[UUID], advance: Callable[[], None]
    ) -> dict[UUID, dict[str, Any]]:
        """Return every user's entity, empty for users without one; call `advance` after each."""
        remaining = iter(users)
        entities: dict[UUID, dict[str, Any]] = {}

        async def work() -> None:
            for user in remaining:
                status, body = await self._request("GET", f"/api/entities/followship/{user}")
                entities[user] = body if status == HTTPStatus.OK else {}
                advance()

        await _gather([work() for _ in range(self._concurrency)])
        return entities

    async def module_statuses(self) -> list[dict[str, Any]]:
        """Return the status of each projection module.

        Raises:
            ApplicationError: If the application does not return it.
        """
        status, body = await self._request("GET", "/api/projections")
        if status != HTTPStatus.OK:
            raise ApplicationError(f"GET /api/projections returned {status}: {body}.")
        statuses: list[dict[str, Any]] = body["projections"]
        return statuses

    async def replay_dead_letters(self) -> int:
        """Replay all dead letters, page by page; return how many were deleted.

        Raises:
            ApplicationError: If the application does not accept a request.
        """
        replayed, parameters = 0, {"projection": "*"}
        while True:
            status, body = await self._request("POST", "/api/deadletters/replay", params=parameters)
            if status != HTTPStatus.OK:
                raise ApplicationError(f"The replay returned {status}: {body}.")
            replayed += int(body["succeeded"])
            if body["next"] is None:
                return replayed
            parameters["after"] = body["next"]

    async def _request(self, method: str, path: str, **options: Any) -> tuple[int, Any]:  # noqa: ANN401 - aiohttp's options
        retrying = AsyncRetrying(
            retry=retry_if_exception_type((_UnavailableError, aiohttp.ClientError)),
            wait=wait_exponential(multiplier=0.1, max=2),
            stop=stop_after_delay(_RETRY_TIMEOUT_SECONDS),
            reraise=True,
        )
        try:
            return await retrying(self._send, method, path, **options)
        except (_UnavailableError, aiohttp.ClientError) as error:
            raise ApplicationError(
                f"{method} {path} failed for {_RETRY_TIMEOUT_SECONDS:.0f} s: {error}."
            ) from error

    async def _send(self, method: str, path: str, **options: Any) -> tuple[int, Any]:  # noqa: ANN401 - as above
        if self._session is None:
            raise RuntimeError("Use the client as an async context manager.")
        async with self._session.request(method, next(self._urls) + path, **options) as response:
            if response.status == HTTPStatus.SERVICE_UNAVAILABLE:
                raise _UnavailableError(await response.text())
            return response.status, await response.json(content_type=None)


async def _gather(coroutines: Sequence[Any]) -> None:
    """Run all coroutines; when one fails, cancel the others."""
    tasks = [asyncio.ensure_future(coroutine) for coroutine in coroutines]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
