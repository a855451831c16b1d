"""The way to each physical partition, and who may go when."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.quotas import MAX_OPERATIONS
from core.throttling.token_bucket import AdaptiveTokenBucket

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping


_QUANTUM = 0.1
"""Seconds of a partition's budget that one request takes: larger ones overshoot it."""

_FIRST_GUESS = 6.0
"""Request units of an operation, before one was answered: a small write."""

_LEARNED = 0.2
"""How much an answer counts in what the next operation is taken to cost."""


@dataclass(kw_only=True)
class Reservation:
    """A place in the order in which requests go through a gate.

    Attributes:
        gate: The gate.
        operations: How many the request may hold.
        reserved: Request units that it is taken to cost.
        wait: Seconds until it may go.
        epoch: After how many refusals this was said.
    """

    gate: RateLimiter
    operations: int
    reserved: float
    wait: float
    epoch: int

    @property
    def is_stale(self) -> bool:
        """Whether the partition has refused something since; then it must be taken anew."""
        return self.epoch != self.gate.epoch

    def refund(self) -> None:
        """The request is not sent."""
        self.gate.settle(self, 0.0)


class RateLimiter:
    """The way to one physical partition, shared by all who write there in this process.

    Requests go at the pace that the partition takes, in the order in which they asked. When one
    is refused, none goes before the service's hint has passed.

    Args:
        clock: Seconds.
        ceiling: Request units a second, where that is not to be learned from refusals.

    Attributes:
        turn: Held by the one background request that has a place in the order, so that requests
            somebody waits for come next.
        epoch: How often the partition refused, not counting what was on its way by then.
    """

    def __init__(self, clock: Callable[[], float], ceiling: float | None = None) -> None:
        self._clock = clock
        self._pace = AdaptiveTokenBucket(clock(), ceiling)
        self._cost = _FIRST_GUESS
        self.turn = asyncio.Lock()
        self.epoch = 0

    @property
    def operations(self) -> int:
        """How many one request should hold, 1 to 100."""
        return max(1, min(MAX_OPERATIONS, int(self._pace.rate * _QUANTUM / self._cost)))

    def take(self, operations: int) -> Reservation:
        """A place in the order, for a request of so many operations."""
        reserved = operations * self._cost
        wait = self._pace.reserve(self._clock(), reserved)
        return Reservation(
            gate=self, operations=operations, reserved=reserved, wait=wait, epoch=self.epoch
        )

    def settle(self, ticket: Reservation, charge: float) -> None:
        """A request went through and cost so much."""
        self._pace.note(charge)
        if not ticket.is_stale:
            self._pace.refund(ticket.reserved - charge)

    def learn(self, operations: int, charge: float) -> None:
        """So many operations were taken and cost so much."""
        self._cost += _LEARNED * (charge / operations - self._cost)

    def refuse(self, ticket: Reservation, hint: float) -> None:
        """The partition refused a request, and asked to wait so many seconds."""
        if not ticket.is_stale:
            self._pace.refuse(self._clock(), hint)
        elif not self._pace.hold(self._clock(), hint):
            return
        self.epoch += 1


class RateLimiters:
    """The gates by partition; shared by all invocations of the process, as the budget is."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._gates: dict[str, RateLimiter] = {}

    def of(self, partition: str) -> RateLimiter:
        """The gate of a physical partition."""
        if partition not in self._gates:
            self._gates[partition] = RateLimiter(self._clock)
        return self._gates[partition]


class Ceilings:
    """Projections that may use so much of the account and no more, to leave room for others.

    Args:
        rates: Request units a second by projection.
        clock: Seconds.
    """

    def __init__(
        self, rates: Mapping[str, float], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._gates = {name: RateLimiter(clock, rate) for name, rate in rates.items()}

    def of(self, projections: Iterable[str]) -> tuple[RateLimiter, ...]:
        """Return the gates that a request with writes of these projections has to pass first."""
        if not self._gates:
            return ()
        names = sorted(self._gates.keys() & set(projections))
        return tuple(self._gates[name] for name in names)
