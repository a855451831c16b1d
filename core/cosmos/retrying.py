"""The one place that tries again: what Cosmos DB throttles or drops, inside a time budget."""

from __future__ import annotations

import asyncio
import random
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type

from core.cosmos.requests import run_request
from core.errors import (
    ConfigurationError,
    CosmosError,
    DeadlineExceededError,
    ThrottledError,
    TransientError,
)
from core.telemetry.spans import record_charge, record_retry
from core.throttling.backoff import INITIAL_BACKOFF_SECONDS, backoff

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator

    from core.cosmos.gates import RateLimiter, RateLimiters, Reservation
    from core.throttling.deadline import Deadline

ResultT = TypeVar("ResultT")

_TOO_MANY_REQUESTS = 429


@dataclass(kw_only=True)
class RequestStats:
    """What it took, summed up while it happens.

    Attributes:
        requests: Requests sent, failed ones included.
        module: On whose behalf, for telemetry.
        throttled: Answers that said to wait.
        waited: Seconds that were waited for a partition's pace or as told, over all writers.
        charge: Request units.
    """

    module: str = ""
    requests: int = 0
    throttled: int = 0
    waited: float = 0.0
    charge: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Load:
    """What has to be written and nobody waits for: it goes as the pace of the partition allows.

    Attributes:
        waiting: How many operations there still are.
        ceilings: RateLimiters that it goes through before that of the partition.
    """

    waiting: Callable[[], int]
    ceilings: tuple[RateLimiter, ...] = ()


class Passage:
    """A request on its way.

    Args:
        tickets: Of the gates it went through; the last one is that of its partition.
        effort: Where charges are summed up.
        typical: Whether its charge tells what the operations of others will cost.

    Attributes:
        operations: How many it may hold.
    """

    def __init__(self, tickets: list[Reservation], effort: RequestStats, *, typical: bool) -> None:
        self.operations = tickets[-1].operations
        self._tickets = tickets
        self._effort = effort
        self._typical = typical
        self._charge = 0.0
        effort.requests += 1
        effort.waited += sum(each.wait for each in tickets)

    def charge(self, request_units: float) -> None:
        """Note what it cost."""
        self._charge += request_units
        self._effort.charge += request_units
        record_charge(request_units, self._effort.module)

    @contextmanager
    def on_its_way(self) -> Iterator[None]:
        """Tell the gates how it ends."""
        ticket = self._tickets[-1]
        try:
            yield
        except ThrottledError as error:
            self._settle(untold=0.0)
            if error.status == _TOO_MANY_REQUESTS:
                hint = INITIAL_BACKOFF_SECONDS if error.retry_after is None else error.retry_after
                ticket.gate.refuse(ticket, hint)
            raise
        except BaseException:  # it may have been applied all the same
            self._settle(untold=ticket.reserved)
            raise
        if self._typical and self._charge:
            ticket.gate.learn(self.operations, self._charge)
        self._settle(untold=ticket.reserved)

    def _settle(self, untold: float) -> None:
        for each in self._tickets:
            each.gate.settle(each, self._charge or untold)


@dataclass(frozen=True, kw_only=True)
class Retrier:
    """Runs an operation until it succeeds, fails for good, or the budget is spent.

    Attributes:
        gates: The ways to the physical partitions.
        sleep: Replaced in tests, so that none of them waits.
        jitter: A random number in [0, 1).
    """

    gates: RateLimiters
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    jitter: Callable[[], float] = field(default=random.random)

    async def run(
        self,
        operation: Callable[[Passage], Awaitable[ResultT]],
        *,
        partition: str,
        deadline: Deadline,
        effort: RequestStats,
        load: Load | None = None,
    ) -> ResultT:
        """The operation's result.

        The operation must be safe to repeat: an attempt without an answer may have been applied.

        Args:
            operation: Sends one request.
            partition: Whose gate it passes.
            deadline: Time that it may take.
            effort: What it took.
            load: What it is part of; None for a request that somebody waits for.

        Raises:
            DeadlineExceededError: An attempt, even the first one, would come too late.
            CosmosError: Retrying cannot help.
        """
        gate = self.gates.of(partition)

        async def attempt() -> ResultT:
            tickets = await self._pass(gate, load, deadline)
            passage = Passage(tickets, effort, typical=load is not None)
            with passage.on_its_way():
                return await operation(passage)

        retrying = AsyncRetrying(
            retry=retry_if_exception_type((ThrottledError, TransientError)),
            wait=lambda state: self._wait_after(state, effort),
            stop=lambda state: state.upcoming_sleep >= deadline.remaining(),
            sleep=self.sleep,
            reraise=True,
        )
        try:
            return await retrying(attempt)
        except (ThrottledError, TransientError) as error:
            raise DeadlineExceededError(f"The invocation's time is up. {error}") from error

    async def _pass(
        self, gate: RateLimiter, load: Load | None, deadline: Deadline
    ) -> list[Reservation]:
        """Go through the gates; a load has one place in each one's order at a time."""
        if load is None:
            return [await self._take_turn(gate, lambda: 1, deadline)]
        gates = (*load.ceilings, gate)
        tickets: list[Reservation] = []

        def most() -> int:
            return min(load.waiting(), *(each.operations for each in gates))

        try:
            for each in gates:
                async with held(each.turn, deadline):
                    tickets.append(await self._take_turn(each, most, deadline))
        except BaseException:
            for ticket in tickets:
                ticket.refund()
            raise
        return tickets

    async def _take_turn(
        self, gate: RateLimiter, most: Callable[[], int], deadline: Deadline
    ) -> Reservation:
        while True:
            ticket = gate.take(most())
            try:
                _check(deadline, ticket.wait)
                if ticket.wait:
                    await self.sleep(ticket.wait)
            except BaseException:
                ticket.refund()
                raise
            if not ticket.is_stale:
                return ticket

    async def request(
        self,
        doing: str,
        send: Callable[[], Awaitable[ResultT]],
        *,
        partition: str,
        deadline: Deadline,
        absent: type[CosmosError] = ConfigurationError,
    ) -> ResultT:
        """The result of one request of the SDK; safe to repeat, as above.

        Args:
            doing: For messages, as in "removing dead letter 4f1e".
            send: Calls the SDK.
            partition: Whose gate it passes.
            deadline: Time that it may take.
            absent: What a plain 404 means here.

        Raises:
            DeadlineExceededError: The next attempt would come after the budget's end.
            CosmosError: Retrying cannot help.
        """

        async def attempt(_: Passage) -> ResultT:
            return await run_request(doing, send(), absent=absent)

        return await self.run(
            attempt, partition=partition, deadline=deadline, effort=RequestStats()
        )

    def _wait_after(self, state: RetryCallState, effort: RequestStats) -> float:
        error = state.outcome.exception() if state.outcome else None
        hint = error.retry_after if isinstance(error, ThrottledError) else None
        seconds = backoff(state.attempt_number, hint=hint, jitter=self.jitter())
        record_retry(effort.module, throttled=isinstance(error, ThrottledError))
        if isinstance(error, ThrottledError):
            effort.throttled += 1
            effort.waited += seconds
        return seconds


@asynccontextmanager
async def held(lock: asyncio.Lock | asyncio.Semaphore, deadline: Deadline) -> AsyncIterator[None]:
    """Hold a lock, for which others may make us wait; never beyond the budget.

    Raises:
        DeadlineExceededError: Time ran out while it was waited for.
    """
    _check(deadline)
    try:
        await asyncio.wait_for(lock.acquire(), deadline.remaining())
    except asyncio.TimeoutError:
        raise DeadlineExceededError(
            "The invocation's time is up while others are served."
        ) from None
    try:
        yield
    finally:
        lock.release()


def _check(deadline: Deadline, wait: float = 0.0) -> None:
    if wait >= deadline.remaining():
        raise DeadlineExceededError(
            f"The invocation's time is up: Cosmos DB asked to wait {wait:.1f} s more."
            if wait
            else "The invocation's time is up."
        )


async def gather_all(*work: Awaitable[None]) -> None:
    """Do all of it side by side, whatever fails; then raise what most needs attention."""
    raise_most_severe(await asyncio.gather(*work, return_exceptions=True))


def raise_most_severe(results: Iterable[BaseException | None]) -> None:
    """Of errors that happened side by side, raise the one that most needs somebody's attention."""
    errors = [each for each in results if each is not None]
    if errors:
        raise max(errors, key=_weight)


def _weight(error: BaseException) -> int:
    if isinstance(error, DeadlineExceededError):
        return 0
    return 1 if isinstance(error, CosmosError) else 2
