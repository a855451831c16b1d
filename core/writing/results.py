"""The results of writes that are made concurrently."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any

from core.errors import CosmosError, DeadlineExceededError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Iterable, Sequence

    from core.writing.writes import WriteResult

    ResultQueue = asyncio.Queue[WriteResult | None]


async def results_of(
    queue: ResultQueue, work: Sequence[Awaitable[None]]
) -> AsyncGenerator[WriteResult, None]:
    """Do all of the work, and yield the results that it puts into the queue.

    However the work ends, by an error, at the deadline or by a cancellation, each of its results is
    yielded first. The consumer must not await between them, or a cancellation would reach it there
    and the remaining results would be lost.

    Raises:
        BaseException: The most severe error of the work, after all of it has ended.
    """
    everything = asyncio.gather(*work, return_exceptions=True)
    everything.add_done_callback(partial(_end, queue))
    cancelled: asyncio.CancelledError | None = None
    try:
        while (result := await queue.get()) is not None:
            yield result
    except asyncio.CancelledError as error:
        cancelled = error
    finally:
        everything.cancel()
        await asyncio.wait([everything])
    while not queue.empty():
        if (result := queue.get_nowait()) is not None:
            yield result
    if cancelled is not None:
        raise cancelled
    raise_most_severe(everything.result())


def _end(queue: ResultQueue, everything: asyncio.Future[Any]) -> None:
    """Put the end into the queue; a cancellation is retrieved, or asyncio would log it."""
    if not everything.cancelled():
        everything.exception()
    queue.put_nowait(None)


def raise_most_severe(results: Iterable[BaseException | None]) -> None:
    """Raise the error that most needs attention, if there is one."""
    errors = [error for error in results if error is not None]
    if errors:
        raise max(errors, key=_severity)


def _severity(error: BaseException) -> int:
    if isinstance(error, DeadlineExceededError):
        return 0
    return 1 if isinstance(error, CosmosError) else 2
