"""Writes of many streams on their way to one physical partition, in requests of the bulk form."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from core.cosmos.batches import GONE, OperationResult, send_bulk
from core.cosmos.errors import operation_error
from core.errors import CosmosError, RejectedByCosmosError, ThrottledError, TransientError
from core.writing.plan import count_fitting
from core.writing.results import raise_most_severe

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from azure.cosmos.aio import ContainerProxy

    from core.cosmos.partitions import Partition
    from core.throttling.rate_limiters import RateLimiter, RateLimiters
    from core.throttling.retrier import Retrier
    from core.writing.delivery import Delivery
    from core.writing.writes import Write

    Stream = deque[Write]

_AT_ONCE = 4
"""Requests of one call on their way to one partition."""

_WORTH = 50
"""Writes for which a request is begun beside others: half of what one holds."""

_FAILED_DEPENDENCY = 424
_WRITTEN = (200, 201)
_FIRST_ERROR = 400


@dataclass(eq=False)
class _Group:
    """Streams whose next writes go together; failing once they have to be tried again."""

    waiting: list[Stream]
    failing: bool = False


class PartitionBulkWriter:
    """The loose writes of one call for one physical partition.

    A stream has one write on its way at most, so that its order is kept whatever fails.

    Args:
        container: The events container.
        partition: Whose id is known.
        limiters: The rate limiters of the process.
        retrier: Tries again.
        slots: The limit on requests in flight.
        delivery: The call.

    Attributes:
        moved: Streams that do not lie in the partition any more.
    """

    def __init__(
        self,
        *,
        container: ContainerProxy,
        partition: Partition,
        limiters: RateLimiters,
        retrier: Retrier,
        slots: asyncio.Semaphore,
        delivery: Delivery,
    ) -> None:
        self._container = container
        self._partition = partition
        self._limiters = limiters
        self._retrier = retrier
        self._slots = slots
        self._delivery = delivery
        self._ready: deque[Stream] = deque()
        self._changed = asyncio.Event()
        self.moved: list[Stream] = []

    async def write(
        self, streams: Iterable[Stream], ceilings: tuple[RateLimiter, ...] = ()
    ) -> None:
        """Return when every stream is written, or known to have moved.

        Args:
            streams: What they hold is sent one after the other.
            ceilings: What all of it has to go through.

        Raises:
            DeadlineExceededError: Time ran out.
            CosmosError: Retrying cannot help; RejectedByCosmosError where the service does not
                know the bulk form.
        """
        self._ready.extend(streams)
        under_way: dict[asyncio.Task[None], _Group] = {}
        failed: list[BaseException] = []
        try:
            while under_way or (self._ready and not failed):
                self._changed.clear()
                while not failed and self._worth_one_more(under_way.values()):
                    group = self._next()
                    under_way[self._begin(group, ceilings)] = group
                await self._changed.wait()
                for each in [each for each in under_way if each.done()]:
                    del under_way[each]
                    failed += [error] if (error := each.exception()) else []
        finally:
            for each in under_way:
                each.cancel()
            await asyncio.gather(*under_way, return_exceptions=True)
        raise_most_severe(failed)

    def _worth_one_more(self, under_way: Collection[_Group]) -> bool:
        """Whether to begin a request beside these.

        Few writes wait until there are more, but not for what has failed and is tried again.
        """
        least = 1 if all(each.failing for each in under_way) else _WORTH
        return len(under_way) < _AT_ONCE and len(self._ready) >= least

    def _next(self) -> _Group:
        count = count_fitting(each[0] for each in self._ready)
        return _Group([self._ready.popleft() for _ in range(count)])

    def _begin(self, group: _Group, ceilings: tuple[RateLimiter, ...]) -> asyncio.Task[None]:
        task = asyncio.create_task(self._send(group, ceilings), name=f"lane {self._partition.id}")
        task.add_done_callback(lambda _: self._changed.set())
        return task

    async def _send(self, group: _Group, ceilings: tuple[RateLimiter, ...]) -> None:
        """Write the first of each stream."""
        deadline, stats = self._delivery.deadline, self._delivery.stats
        while group.waiting:
            await self._retrier.run(partial(self._attempt, group, ceilings), deadline, stats)

    async def _attempt(self, group: _Group, ceilings: tuple[RateLimiter, ...]) -> None:
        """Send what may be sent; what has to be tried again, or was not sent, is waiting still."""
        deadline, stats = self._delivery.deadline, self._delivery.stats
        try:
            async with self._limiters.background_attempt(
                self._partition.start, len(group.waiting), deadline, stats, ceilings
            ) as attempt:
                count = attempt.max_operations
                sent, kept = group.waiting[:count], group.waiting[count:]
                async with deadline.hold(self._slots):
                    results = await send_bulk(
                        self._container,
                        self._partition.id or "",
                        [stream[0] for stream in sent],
                        attempt.record_charge,
                    )
                again, errors = self._settle(sent, results)
                group.waiting = again + kept
                if errors:
                    raise max(errors, key=_weight)
        except CosmosError:
            group.failing = True
            self._changed.set()
            raise

    def _settle(
        self, sent: list[Stream], results: Sequence[OperationResult]
    ) -> tuple[list[Stream], list[CosmosError]]:
        """Take note of the results; what to try again, and why."""
        durable: list[Write] = []
        refused: list[tuple[Stream, RejectedByCosmosError]] = []
        again: list[Stream] = []
        errors: list[CosmosError] = []
        for stream, result in zip(sent, results, strict=True):
            if result.status == GONE:
                self.moved.append(stream)
            elif result.status in _WRITTEN:
                durable.append(self._pop(stream))
            elif isinstance(error := self._error(result), RejectedByCosmosError):
                refused.append((stream, error))
            else:
                again.append(stream)
                errors.append(error)
        self._changed.set()
        self._delivery.on_durable(durable)
        for stream, error in refused:
            if self._delivery.blames(stream[0], error):
                self._pop(stream)
            else:
                errors.append(error)
        return again, errors

    def _pop(self, stream: Stream) -> Write:
        """The stream's first write, which is dealt with; the next one may be sent."""
        write = stream.popleft()
        if stream:
            self._ready.append(stream)
        return write

    def _error(self, result: OperationResult) -> CosmosError:
        doing = f"writing events into physical partition {self._partition.id}"
        if result.status < _FIRST_ERROR:
            return TransientError(f"While {doing}: status {result.status} is unknown.")
        if result.status == _FAILED_DEPENDENCY:
            return TransientError(f"While {doing}: one of them was not tried, for another failed.")
        return operation_error(doing, result.status, result.sub_status, result.retry_after)


def _weight(error: CosmosError) -> tuple[int, float]:
    """What cannot be retried first, then the longest wait."""
    if isinstance(error, ThrottledError):
        return 1, error.retry_after or 0.0
    return (0, 0.0) if isinstance(error, TransientError) else (2, 0.0)
