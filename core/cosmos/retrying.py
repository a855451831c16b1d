"""The one place that tries again: what Cosmos DB throttles or drops, inside a time budget."""

from __future__ import annotations

import asyncio
import random
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type

from core.cosmos.requests import answered
from core.errors import (
    BudgetSpentError,
    ConfigurationError,
    CosmosError,
    ThrottledError,
    TransientError,
)
from core.telemetry.spans import note_charge, note_retry
from core.throttling.backoff import FIRST_WAIT, backoff

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator

    from core.cosmos.gates import Gate, Gates, Ticket
    from core.throttling.deadline import Budget

ResultT = TypeVar("ResultT")

_TOO_MANY_REQUESTS = 429


@dataclass(kw_only=True)
class Effort:
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
        ceilings: Gates that it goes through before that of the partition.
    """

    waiting: Callable[[], int]
    ceilings: tuple[Gate, ...] = ()


class Passage:
    """A request on its way.

    Args:
        tickets: Of the gates it went through; the last one is that of its partition.
        effort: Where charges are summed up.
        typical: Whether its charge tells what the operations of others will cost.

    Attributes:
        operations: How many it may hold.
    """

    def __init__(self, tickets: list[Ticket], effort: Effort, *, typical: bool) -> None:
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
        note_charge(request_units, self._effort.module)

    @contextmanager
    def on_its_way(self) -> Iterator[None]:
        """Tell the gates how it ends."""
        ticket = self._tickets[-1]
        try:
            yield
        except ThrottledError as error:
            self._settle(untold=0.0)
            if error.status == _TOO_MANY_REQUESTS:
                hint = FIRST_WAIT if error.retry_after is None else error.retry_after
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

    gates: Gates
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    jitter: Callable[[], float] = field(default=random.random)

    async def run(
        self,
        operation: Callable[[Passage], Awaitable[ResultT]],
        *,
        partition: str,
        budget: Budget,
        effort: Effort,
        load: Load | None = None,
    ) -> ResultT:
        """The operation's result.

        The operation must be safe to repeat: an attempt without an answer may have been applied.

        Args:
            operation: Sends one request.
            partition: Whose gate it passes.
            budget: Time that it may take.
            effort: What it took.
            load: What it is part of; None for a request that somebody waits for.

        Raises:
            BudgetSpentError: An attempt, the first one included, would come after the budget's end.
            CosmosError: Retrying cannot help.
        """
        gate = self.gates.of(partition)

        async def attempt() -> ResultT:
            tickets = await self._pass(gate, load, budget)
            passage = Passage(tickets, effort, typical=load is not None)
            with passage.on_its_way():
                return await operation(passage)

        retrying = AsyncRetrying(
            retry=retry_if_exception_type((ThrottledError, TransientError)),
            wait=lambda state: self._wait_after(state, effort),
            stop=lambda state: state.upcoming_sleep >= budget.remaining(),
            sleep=self.sleep,
            reraise=True,
        )
        try:
            return await retrying(attempt)
        except (ThrottledError, TransientError) as error:
            raise BudgetSpentError(f"The invocation's time is up. {error}") from error

    async def _pass(self, gate: Gate, load: Load | None, budget: Budget) -> list[Ticket]:
        """Go through the gates; a load has one place in each one's order at a time."""
        if load is None:
            return [await self._take_turn(gate, lambda: 1, budget)]
        gates = (*load.ceilings, gate)
        tickets: list[Ticket] = []

        def most() -> int:
            return min(load.waiting(), *(each.operations for each in gates))

        try:
            for each in gates:
                async with held(each.turn, budget):
                    tickets.append(await self._take_turn(each, most, budget))
        except BaseException:
            for ticket in tickets:
                ticket.give_back()
            raise
        return tickets

    async def _take_turn(self, gate: Gate, most: Callable[[], int], budget: Budget) -> Ticket:
        while True:
            ticket = gate.take(most())
            try:
                _check(budget, ticket.wait)
                if ticket.wait:
                    await self.sleep(ticket.wait)
            except BaseException:
                ticket.give_back()
                raise
            if not ticket.is_stale:
                return ticket

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

        async def attempt(_: Passage) -> ResultT:
            return await answered(doing, send(), absent=absent)

        return await self.run(attempt, partition=partition, budget=budget, effort=Effort())

    def _wait_after(self, state: RetryCallState, effort: Effort) -> float:
        error = state.outcome.exception() if state.outcome else None
        hint = error.retry_after if isinstance(error, ThrottledError) else None
        seconds = backoff(state.attempt_number, hint=hint, jitter=self.jitter())
        note_retry(effort.module, throttled=isinstance(error, ThrottledError))
        if isinstance(error, ThrottledError):
            effort.throttled += 1
            effort.waited += seconds
        return seconds


@asynccontextmanager
async def held(lock: asyncio.Lock | asyncio.Semaphore, budget: Budget) -> AsyncIterator[None]:
    """Hold a lock, for which others may make us wait; never beyond the budget.

    Raises:
        BudgetSpentError: Time ran out while it was waited for.
    """
    _check(budget)
    try:
        await asyncio.wait_for(lock.acquire(), budget.remaining())
    except asyncio.TimeoutError:
        raise BudgetSpentError("The invocation's time is up while others are served.") from None
    try:
        yield
    finally:
        lock.release()


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
