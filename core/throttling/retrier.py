"""The one place that retries requests that were throttled or failed transiently."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from tenacity import AsyncRetrying, retry_if_exception_type

from core.errors import DeadlineExceededError, ThrottledError, TransientError
from core.telemetry.spans import record_retry
from core.throttling.backoff import backoff

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tenacity import RetryCallState

    from core.throttling.deadline import Deadline
    from core.throttling.stats import RequestStats

ResultT = TypeVar("ResultT")


@dataclass(frozen=True, kw_only=True)
class Retrier:
    """Repeats an attempt until it succeeds, fails permanently, or the deadline is reached.

    Attributes:
        sleep: The function that waits; tests replace it.
        jitter: A random number in [0, 1).
    """

    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    jitter: Callable[[], float] = random.random

    async def run(
        self, attempt: Callable[[], Awaitable[ResultT]], deadline: Deadline, stats: RequestStats
    ) -> ResultT:
        """Return the result of the first attempt that succeeds.

        Args:
            attempt: A coroutine function that is safe to repeat: without a response it may have
                been applied.
            deadline: The time by which the last attempt must start.
            stats: The meter for throttled requests and waits.

        Raises:
            DeadlineExceededError: If the next attempt would start after the deadline.
            CosmosError: If the error is not retryable.
        """
        retrying = AsyncRetrying(
            retry=retry_if_exception_type((ThrottledError, TransientError)),
            wait=lambda state: self._wait_seconds(state, stats),
            stop=lambda state: state.upcoming_sleep >= deadline.remaining(),
            sleep=self.sleep,
            reraise=True,
        )
        try:
            return await retrying(attempt)
        except (ThrottledError, TransientError) as error:
            raise DeadlineExceededError(f"Deadline exceeded. {error}") from error

    def _wait_seconds(self, state: RetryCallState, stats: RequestStats) -> float:
        error = state.outcome.exception() if state.outcome else None
        is_throttled = isinstance(error, ThrottledError)
        retry_after = error.retry_after if isinstance(error, ThrottledError) else None
        seconds = backoff(state.attempt_number, retry_after=retry_after, jitter=self.jitter())
        record_retry(stats.module, throttled=is_throttled)
        if is_throttled:
            stats.throttled_requests += 1
            stats.wait_seconds += seconds
        return seconds
