"""Rate limiters: they admit requests to a physical partition, and writes of a projection."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.errors import CosmosError, ThrottledError
from core.quotas import MAX_OPERATIONS
from core.telemetry.spans import record_charge
from core.throttling.backoff import INITIAL_BACKOFF_SECONDS
from core.throttling.recent_errors import RecentErrors
from core.throttling.token_bucket import AdaptiveTokenBucket

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping

    from typing_extensions import Self

    from core.throttling.deadline import Deadline
    from core.throttling.stats import RequestStats

_REQUEST_SECONDS = 0.1
"""The seconds of a partition's throughput that one request takes. Larger ones would exceed it."""

_INITIAL_COST = 6.0
"""The request units of an operation before the first response: those of a small write."""

_COST_WEIGHT = 0.2
"""The weight of a response in the cost estimate of the next operation."""

_TOO_MANY_REQUESTS = 429


@dataclass(frozen=True, kw_only=True)
class Reservation:
    """The place of a request among those that a rate limiter admits.

    Attributes:
        operations: The number of operations that the request may hold.
        charge: The request units that it is expected to cost.
        delay: The seconds until it may be sent.
        epoch: The number of pauses before it. It is stale after the next one.
    """

    operations: int
    charge: float
    delay: float
    epoch: int


class RateLimiter:
    """Admits requests in FIFO order at the rate that the service sustains.

    After a 429 it admits none until the retry-after delay has passed. All writers of the process
    share it.

    Args:
        clock: The seconds of a monotonic clock.
        fixed_rate: Request units a second, if they are not to be learned.

    Attributes:
        background_lock: Held by the one background request that waits to be admitted, so that
            requests with a caller are admitted next.
        epoch: The number of pauses after a 429, without those that were in flight by then.
    """

    def __init__(self, clock: Callable[[], float], fixed_rate: float | None = None) -> None:
        self._clock = clock
        self._bucket = AdaptiveTokenBucket(clock(), fixed_rate)
        self._cost = _INITIAL_COST
        self.background_lock = asyncio.Lock()
        self.epoch = 0

    @property
    def max_operations(self) -> int:
        """The number of operations that one request should hold, 1 to 100."""
        affordable = int(self._bucket.rate * _REQUEST_SECONDS / self._cost)
        return max(1, min(MAX_OPERATIONS, affordable))

    def reserve(self, operations: int) -> Reservation:
        """Reserve the next place for a request with the given number of operations."""
        charge = operations * self._cost
        delay = self._bucket.reserve(self._clock(), charge)
        return Reservation(operations=operations, charge=charge, delay=delay, epoch=self.epoch)

    def record_charge(self, reservation: Reservation, charge: float) -> None:
        """Record what an admitted request cost, 0 if it was not sent."""
        is_stale = reservation.epoch != self.epoch
        self._bucket.record_charge(charge, 0.0 if is_stale else reservation.charge - charge)

    def update_cost_estimate(self, operations: int, charge: float) -> None:
        """Learn from a request what one operation costs."""
        self._cost += _COST_WEIGHT * (charge / operations - self._cost)

    def on_throttled(self, reservation: Reservation, retry_after: float) -> None:
        """Pause for the retry-after delay of a 429."""
        if reservation.epoch == self.epoch:
            self._bucket.on_throttled(self._clock(), retry_after)
        elif not self._bucket.extend_pause(self._clock(), retry_after):
            return
        self.epoch += 1


class RequestAttempt:
    """One attempt of a request: entered when all its rate limiters admit it.

    A response's charge must be recorded before the attempt ends, because the rate that a 429 shows
    is measured from the charges before it.

    Args:
        limiters: The rate limiters in the order in which they admit it; the last one is that of
            its partition.
        deadline: The time by which it must be admitted.
        stats: The meter that counts it.
        sleep: The function that waits.
        recent: What counts it, and its error.
        pending_operations: The number of operations of a background request; None if a caller
            waits for the request, which has one.

    Attributes:
        max_operations: The number of operations that the request may hold.
    """

    def __init__(
        self,
        limiters: tuple[RateLimiter, ...],
        deadline: Deadline,
        stats: RequestStats,
        sleep: Callable[[float], Awaitable[None]],
        recent: RecentErrors,
        *,
        pending_operations: int | None = None,
    ) -> None:
        self.max_operations = 1
        self._limiters = limiters
        self._deadline = deadline
        self._stats = stats
        self._sleep = sleep
        self._recent = recent
        self._pending = pending_operations
        self._reservations: list[Reservation] = []
        self._charge = 0.0

    async def __aenter__(self) -> Self:
        """Wait until the request is admitted.

        Raises:
            DeadlineExceededError: If that would be after the deadline.
        """
        try:
            for limiter in self._limiters:
                if self._pending is None:
                    await self._reserve(limiter)
                else:
                    async with self._deadline.hold(limiter.background_lock):
                        await self._reserve(limiter)
        except BaseException:
            for limiter, reservation in zip(self._limiters, self._reservations, strict=False):
                limiter.record_charge(reservation, 0.0)
            raise
        self.max_operations = self._reservations[-1].operations
        self._stats.requests += 1
        self._recent.requests += 1
        self._stats.wait_seconds += sum(reserved.delay for reserved in self._reservations)
        return self

    async def __aexit__(self, _: object, error: BaseException | None, __: object) -> None:
        """Record the outcome of the request, which may have been applied without a response."""
        if isinstance(error, CosmosError):
            self._recent.record(error)
        of_partition, last = self._limiters[-1], self._reservations[-1]
        charge = self._charge
        if error is None and self._pending is not None and charge:
            of_partition.update_cost_estimate(self.max_operations, charge)
        if not charge and not isinstance(error, ThrottledError):
            charge = last.charge
        for limiter, reservation in zip(self._limiters, self._reservations, strict=True):
            limiter.record_charge(reservation, charge)
        if isinstance(error, ThrottledError) and error.status == _TOO_MANY_REQUESTS:
            retry_after = error.retry_after
            delay = INITIAL_BACKOFF_SECONDS if retry_after is None else retry_after
            of_partition.on_throttled(last, delay)

    def record_charge(self, request_units: float) -> None:
        """Record the request units that a response states."""
        self._charge += request_units
        self._stats.request_charge += request_units
        record_charge(request_units, self._stats.module)

    async def _reserve(self, limiter: RateLimiter) -> None:
        while True:
            operations = 1
            if self._pending is not None:
                limits = (one.max_operations for one in self._limiters)
                operations = min(self._pending, *limits)
            reservation = limiter.reserve(operations)
            self._reservations.append(reservation)
            self._deadline.check("waiting for the rate limit", reservation.delay)
            if reservation.delay:
                await self._sleep(reservation.delay)
            if reservation.epoch == limiter.epoch:
                return
            self._reservations.pop()


class RateLimiters:
    """The rate limiters of a process, by physical partition and by projection.

    Args:
        projection_limits: The request units a second by projection, over all partitions.
        clock: The seconds of a monotonic clock.
        sleep: The function that waits; tests replace it.

    Attributes:
        recent: What went wrong with the requests of the last minutes.
    """

    def __init__(
        self,
        projection_limits: Mapping[str, float] | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._clock = clock
        self._sleep = sleep
        self.recent = RecentErrors(clock)
        self._by_partition: dict[str, RateLimiter] = {}
        limits = projection_limits or {}
        self._by_projection = {name: RateLimiter(clock, rate) for name, rate in limits.items()}

    def for_partition(self, partition: str) -> RateLimiter:
        """Return the rate limiter of a physical partition."""
        if partition not in self._by_partition:
            self._by_partition[partition] = RateLimiter(self._clock)
        return self._by_partition[partition]

    def for_projections(self, projections: Iterable[str | None]) -> tuple[RateLimiter, ...]:
        """Return the rate limiters of those projections that have one."""
        if not self._by_projection:
            return ()
        names = sorted(self._by_projection.keys() & set(projections))
        return tuple(self._by_projection[name] for name in names)

    def attempt(self, partition: str, deadline: Deadline, stats: RequestStats) -> RequestAttempt:
        """Return an attempt of a request that a caller waits for."""
        limiters = (self.for_partition(partition),)
        return RequestAttempt(limiters, deadline, stats, self._sleep, self.recent)

    def background_attempt(
        self,
        partition: str,
        pending_operations: int,
        deadline: Deadline,
        stats: RequestStats,
        projection_limiters: tuple[RateLimiter, ...] = (),
    ) -> RequestAttempt:
        """Return an attempt of a request that no caller waits for.

        It holds as many of the pending operations as the rate allows. Of all background requests
        one at a time waits to be admitted.
        """
        limiters = (*projection_limiters, self.for_partition(partition))
        return RequestAttempt(
            limiters,
            deadline,
            stats,
            self._sleep,
            self.recent,
            pending_operations=pending_operations,
        )
