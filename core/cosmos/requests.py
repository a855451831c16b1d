"""Requests that a caller waits for: with a timeout, a rate limiter and retries."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from core.cosmos.errors import translate_errors
from core.errors import ConfigurationError
from core.throttling.stats import RequestStats

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Awaitable

    from core.errors import CosmosError
    from core.throttling.deadline import Deadline
    from core.throttling.rate_limiters import RateLimiters
    from core.throttling.retrier import Retrier

ResultT = TypeVar("ResultT")
ItemT = TypeVar("ItemT")

ResponseHook = Callable[[Mapping[str, Any], object], None]
"""What the SDK calls with the headers of a response."""

REQUEST_TIMEOUT_SECONDS = 20.0
"""The seconds after which a request without a response is retried."""

QUERY_TIMEOUT_SECONDS = 60.0
"""The seconds after which a query over many pages is retried."""


async def already_entered() -> None:
    """Do nothing, for a client that is entered where it is opened."""


@dataclass(frozen=True, kw_only=True)
class Requests:
    """Sends requests that a caller waits for, of which each is admitted, timed and retried.

    Attributes:
        limiters: The rate limiters of the process.
        retrier: The retries.
        enter: A function that enters the client, which must precede its first request.
    """

    limiters: RateLimiters
    retrier: Retrier
    enter: Callable[[], Awaitable[None]] = already_entered

    async def send(
        self,
        action: str,
        call: Callable[[ResponseHook], Awaitable[ResultT]],
        *,
        partition: str,
        deadline: Deadline,
        not_found: type[CosmosError] = ConfigurationError,
        timeout_seconds: float | None = None,
    ) -> ResultT:
        """Return the response to a request that is safe to repeat.

        Args:
            action: A description for errors, as in "removing dead letter 4f1e".
            call: A function that calls the SDK; what it passes its argument to as `response_hook`
                has its charge recorded.
            partition: The name of the rate limiter.
            deadline: The time by which the last attempt must start.
            not_found: The error for a plain 404, as for `translate_errors`.
            timeout_seconds: The timeout of a read, which ends with the deadline as well. A write
                may go on after the deadline, because nobody could tell whether it was applied.

        Raises:
            DeadlineExceededError: If the next attempt would start after the deadline.
            CosmosError: If Cosmos DB returns an error that is not retryable.
        """
        stats = RequestStats()

        async def attempt() -> ResultT:
            async with self.limiters.attempt(partition, deadline, stats) as admitted:
                request = self._respond(
                    call, lambda headers, _: admitted.record_charge(request_charge(headers))
                )
                timeout = REQUEST_TIMEOUT_SECONDS
                if timeout_seconds is not None:
                    timeout = min(timeout_seconds, deadline.remaining())
                return await run_request(
                    action, request, not_found=not_found, timeout_seconds=timeout
                )

        return await self.retrier.run(attempt, deadline, stats)

    async def _respond(
        self, call: Callable[[ResponseHook], Awaitable[ResultT]], hook: ResponseHook
    ) -> ResultT:
        await self.enter()
        return await call(hook)


async def run_request(
    action: str,
    request: Awaitable[ResultT],
    *,
    not_found: type[CosmosError] = ConfigurationError,
    timeout_seconds: float = REQUEST_TIMEOUT_SECONDS,
) -> ResultT:
    """Return the SDK's response to one attempt of a request.

    The SDK's own timeouts do not suffice: they are for single reads of a socket, and after a 410 to
    a read of the partition key ranges it waits for a lock that it holds itself.

    Args:
        action: A description for errors, as for `translate_errors`.
        request: The call of the SDK.
        not_found: The error for a plain 404, as for `translate_errors`.
        timeout_seconds: The seconds after which there is no response.

    Raises:
        CosmosError: If Cosmos DB returns an error or does not respond.
    """
    with translate_errors(action, not_found=not_found):
        return await asyncio.wait_for(request, timeout_seconds)


async def collect(items: AsyncIterable[ItemT]) -> list[ItemT]:
    """Return all items of a query or a list."""
    return [item async for item in items]


async def read_page(
    query: Callable[..., Any], continuation: str | None, hook: ResponseHook
) -> tuple[list[Any], str | None]:
    """Return a page of a query's results, and the continuation after it, None at the end.

    The continuation is read from the response itself, because the SDK reads it from the latest
    response to anything.

    Args:
        query: The SDK's query, which takes a `response_hook`.
        continuation: The continuation after the page before, None for the first page.
        hook: What is called with each response.
    """
    following: list[str | None] = []

    def on_response(headers: Mapping[str, Any], body: object) -> None:
        hook(headers, body)
        following.append(headers.get("x-ms-continuation") or None)

    pages = query(response_hook=on_response).by_page(continuation)
    page = await anext(aiter(pages), None)
    results = [] if page is None else [result async for result in page]
    return results, following[-1] if following else None


def request_charge(headers: Mapping[str, Any]) -> float:
    """Return the request units that a response states."""
    return float(headers.get("x-ms-request-charge", 0))
