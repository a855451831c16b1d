"""Writes many streams of one physical partition in bulk requests."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from core.cosmos.batches import GONE, WRITTEN, OperationResult, send_bulk
from core.cosmos.errors import operation_error
from core.errors import CosmosError, RejectedByCosmosError, ThrottledError, TransientError
from core.writing.plan import count_fitting
from core.writing.results import raise_most_severe
from core.writing.writes import Write, Written, is_to_blame

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from core.cosmos.partitions import Partition
    from core.throttling.rate_limiters import RateLimiter
    from core.writing.call import WriteCall
    from core.writing.plan import Stream

_MAX_CONCURRENT_REQUESTS = 4
"""The number of requests that one call has in flight to one partition."""

_MIN_WRITES = 50
"""The number of writes for which a request is started beside others: half of what one holds."""

_FAILED_DEPENDENCY = 424
_FIRST_ERROR = 400


@dataclass(eq=False)
class _PendingRequest:
    """Streams whose next writes are sent together; some of them were tried before."""

    streams: list[Stream]
    is_retry: bool = False


class PartitionBulkWriter:
    """Writes streams of one physical partition.

    A stream has one write in flight at most, so that its order is kept whatever fails.

    Args:
        call: What the requests of the call share.
        partition: The physical partition, with its id.
        limiters: The rate limiters of the projections whose writes they are.
        streams: The writes by stream.

    Attributes:
        moved_streams: Streams that are no longer in the partition.
        rejected_streams: Streams whose next write was rejected, for whatever reason.
        has_written: Whether a write was acknowledged.
    """

    def __init__(
        self,
        call: WriteCall,
        partition: Partition,
        limiters: tuple[RateLimiter, ...],
        streams: list[Stream],
    ) -> None:
        self.moved_streams: list[Stream] = []
        self.rejected_streams: list[Stream] = []
        self.has_written = False
        self._call = call
        self._partition = partition
        self._limiters = limiters
        self._ready: deque[Stream] = deque(streams)
        self._changed = asyncio.Event()

    async def write(self) -> None:
        """Return when every write is acknowledged, or its stream has moved or was rejected.

        Raises:
            DeadlineExceededError: If the deadline is reached.
            CosmosError: If Cosmos DB returns an error that is not retryable; RejectedByCosmosError
                if it does not support bulk requests.
        """
        in_flight: dict[asyncio.Task[None], _PendingRequest] = {}
        errors: list[BaseException] = []
        try:
            while in_flight or (self._ready and not errors):
                self._changed.clear()
                while not errors and self._can_start(in_flight.values()):
                    task, request = self._start_next()
                    in_flight[task] = request
                await self._changed.wait()
                for task in [task for task in in_flight if task.done()]:
                    del in_flight[task]
                    errors += [error] if (error := task.exception()) else []
        finally:
            for task in in_flight:
                task.cancel()
            await asyncio.gather(*in_flight, return_exceptions=True)
        raise_most_severe(errors)

    def _can_start(self, in_flight: Collection[_PendingRequest]) -> bool:
        """Return whether to start a request beside those in flight.

        A few writes wait for company, but not for that of requests that are being retried.
        """
        minimum = 1 if all(request.is_retry for request in in_flight) else _MIN_WRITES
        return len(in_flight) < _MAX_CONCURRENT_REQUESTS and len(self._ready) >= minimum

    def _start_next(self) -> tuple[asyncio.Task[None], _PendingRequest]:
        count = count_fitting(stream[0] for stream in self._ready)
        request = _PendingRequest([self._ready.popleft() for _ in range(count)])
        task = asyncio.create_task(self._send(request), name=f"bulk {self._partition.id}")
        task.add_done_callback(lambda _: self._changed.set())
        return task, request

    async def _send(self, request: _PendingRequest) -> None:
        """Write the first of each stream."""
        call = self._call
        while request.streams:
            await call.retrier.run(partial(self._attempt, request), call.deadline, call.stats)

    async def _attempt(self, request: _PendingRequest) -> None:
        """Send as much as the rate allows, and keep what was not sent or failed."""
        call = self._call
        try:
            async with call.limiters.background_attempt(
                self._partition.start,
                len(request.streams),
                call.deadline,
                call.stats,
                self._limiters,
            ) as attempt:
                sent = request.streams[: attempt.max_operations]
                async with call.deadline.hold(call.slots):
                    results = await send_bulk(
                        call.container,
                        self._partition.id or "",
                        [stream[0] for stream in sent],
                        attempt.record_charge,
                    )
                failed, errors = self._apply(sent, results)
                request.streams[: len(sent)] = failed
                if errors:
                    raise max(errors, key=_severity)
        except CosmosError:
            request.is_retry = True
            self._changed.set()
            raise

    def _apply(
        self, sent: Sequence[Stream], results: Sequence[OperationResult]
    ) -> tuple[list[Stream], list[CosmosError]]:
        """Return the streams whose writes failed, and their errors.

        A write that is rejected may be accepted in another form, so it is not to blame yet.
        """
        written: list[Write] = []
        finished: list[Stream] = []
        failed: list[Stream] = []
        errors: list[CosmosError] = []
        for stream, result in zip(sent, results, strict=True):
            if result.status in WRITTEN:
                written.append(stream.popleft())
                finished.append(stream)
            elif result.status == GONE:
                self.moved_streams.append(stream)
            elif not isinstance(error := self._error(result), RejectedByCosmosError):
                failed.append(stream)
                errors.append(error)
            elif is_to_blame(error):
                self.rejected_streams.append(stream)
            else:
                errors.append(error)
        self._ready.extend(stream for stream in finished if stream)
        self.has_written = self.has_written or bool(written)
        self._call.results.put_nowait(Written(written))
        self._changed.set()
        return failed, errors

    def _error(self, result: OperationResult) -> CosmosError:
        action = f"writing events into physical partition {self._partition.id}"
        if result.status < _FIRST_ERROR:
            return TransientError(f"Cosmos DB returned the status {result.status} while {action}.")
        if result.status == _FAILED_DEPENDENCY:
            return TransientError(f"An operation was left out, as another failed, while {action}.")
        return operation_error(action, result.status, result.sub_status, result.retry_after)


def _severity(error: CosmosError) -> tuple[int, float]:
    """Sort errors that are not retryable last, and before them by the retry-after delay."""
    if isinstance(error, ThrottledError):
        return 1, error.retry_after or 0.0
    return (0, 0.0) if isinstance(error, TransientError) else (2, 0.0)
