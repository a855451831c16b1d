"""The one place that tries again: what Cosmos DB throttles or drops, inside a time budget."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type

from core.backoff import backoff
from core.cosmos import answered
from core.errors import (
    BudgetSpentError,
    ConfigurationError,
    CosmosError,
    ThrottledError,
    TransientError,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from core.budget import Budget
    from core.gates import Gate, Gates

ResultT = TypeVar("ResultT")


@dataclass(kw_only=True)
class Effort:
    """What it took, summed up while it happens.

    Attributes:
        requests: Requests sent, failed ones included.
        throttled: Answers that said to wait.
        waited: Seconds that were waited because of them, over all writers.
        charge: Request units.
    """

    requests: int = 0
    throttled: int = 0
    waited: float = 0.0
    charge: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Retrier:
    """Runs an operation until it succeeds, fails for good, or the budget is spent.

    Attributes:
        gates: Closed by a 429 for all operations on the same physical partition.
        sleep: Replaced in tests, so that none of them waits.
        jitter: A random number in [0, 1).
    """

    gates: Gates
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    jitter: Callable[[], float] = field(default=random.random)

    async def run(
        self,
        operation: Callable[[], Awaitable[ResultT]],
        *,
        partition: str,
        budget: Budget,
        effort: Effort,
    ) -> ResultT:
        """The operation's result.

        The operation must be safe to repeat: an attempt without an answer may have been applied.

        Raises:
            BudgetSpentError: An attempt, the first one included, would come after the budget's end.
            CosmosError: Retrying cannot help.
        """
        gate = self.gates.of(partition)

        async def attempt() -> ResultT:
            await self._pass(gate, budget)
            effort.requests += 1
            with gate.request():
                return await operation()

        def wait(state: RetryCallState) -> float:
            return self._wait_after(state, gate, effort)

        retrying = AsyncRetrying(
            retry=retry_if_exception_type((ThrottledError, TransientError)),
            wait=wait,
            stop=lambda state: state.upcoming_sleep >= budget.remaining(),
            sleep=self.sleep,
            reraise=True,
        )
        try:
            return await retrying(attempt)
        except (ThrottledError, TransientError) as error:
            raise BudgetSpentError(f"The invocation's time is up. {error}") from error

    async def _pass(self, gate: Gate, budget: Budget) -> None:
        try:
            _check(budget)
            while (wait := gate.wait()) > 0 or not gate.has_room:
                _check(budget, wait)
                await (self.sleep(wait) if wait > 0 else gate.room())
        except BaseException:
            gate.wake()  # whoever is next must not wait for one that gave up
            raise

    async def request(
        self,
        doing: str,
        send: Callable[[], Awaitable[ResultT]],
        *,
        partition: str,
        budget: Budget,
        absent: type[CosmosError] = ConfigurationError,
    ) -> ResultT:
        """The result of one request of the SDK; safe to repeat, as above.

        Args:
            doing: For messages, as in "removing dead letter 4f1e".
            send: Calls the SDK.
            partition: Whose gate it passes.
            budget: Time that it may take.
            absent: What a plain 404 means here.

        Raises:
            BudgetSpentError: The next attempt would come after the budget's end.
            CosmosError: Retrying cannot help.
        """

        async def attempt() -> ResultT:
            return await answered(doing, send(), absent=absent)

        return await self.run(attempt, partition=partition, budget=budget, effort=Effort())

    def _wait_after(self, state: RetryCallState, gate: Gate, effort: Effort) -> float:
        error = state.outcome.exception() if state.outcome else None
        hint = error.retry_after if isinstance(error, ThrottledError) else None
        seconds = backoff(state.attempt_number, hint=hint, jitter=self.jitter())
        if isinstance(error, ThrottledError):
            gate.close(seconds)
            effort.throttled += 1
            effort.waited += seconds
        return seconds


def _check(budget: Budget, wait: float = 0.0) -> None:
    if wait >= budget.remaining():
        raise BudgetSpentError(
            f"The invocation's time is up: Cosmos DB asked to wait {wait:.1f} s more."
            if wait
            else "The invocation's time is up."
        )


async def finish_all(*work: Awaitable[None]) -> None:
    """Do all of it side by side, whatever fails; then raise what most needs attention."""
    raise_most_telling(await asyncio.gather(*work, return_exceptions=True))


def raise_most_telling(results: Iterable[BaseException | None]) -> None:
    """Of errors that happened side by side, raise the one that most needs somebody's attention."""
    errors = [each for each in results if each is not None]
    if errors:
        raise max(errors, key=_weight)


def _weight(error: BaseException) -> int:
    if isinstance(error, BudgetSpentError):
        return 0
    return 1 if isinstance(error, CosmosError) else 2
