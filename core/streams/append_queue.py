"""Batches concurrent appends to a stream."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from core.errors import DeadlineExceededError, RejectedByCosmosError
from core.streams.appends import count_fitting

if TYPE_CHECKING:
    from collections.abc import Sequence

    from core.streams.appender import Appender
    from core.streams.appends import Append
    from core.streams.keys import Appended


@dataclass(frozen=True, kw_only=True)
class _Waiting:
    append: Append
    done: asyncio.Future[Appended] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )


class AppendQueue:
    """Sends the appends to each stream one request after the other.

    While one request is in flight, later appends gather and share the next one: a request costs the
    SDK over a millisecond of processor time, whether it has one event or many, so that a hot stream
    would otherwise keep a whole worker busy. Each append still has its own answer.

    Args:
        appender: What sends a request.
    """

    def __init__(self, appender: Appender) -> None:
        self._appender = appender
        self._waiting: dict[str, deque[_Waiting]] = {}
        self._workers: set[asyncio.Task[None]] = set()

    async def append(self, append: Append, expected_position: int | None = None) -> Appended:
        """Return what was appended when it is durable.

        Args:
            append: The append.
            expected_position: The position that the stream must have, None for any.

        Raises:
            IdempotencyKeyReusedError: If its key was used for another request.
            Refused: If the command with its key was refused.
            PositionConflictError: If the stream is not at the expected position or head.
            DeadlineExceededError: If its deadline is reached. It may or may not be stored.
            EngineError: As `Appender.append` raises it.
        """
        if expected_position is not None:
            append = await self._appender.expecting(append, expected_position)
        waiting = _Waiting(append=append)
        self._enqueue(waiting)
        try:
            await asyncio.wait({waiting.done}, timeout=append.deadline.remaining())
            if not waiting.done.done():
                raise DeadlineExceededError(
                    f"Deadline exceeded while appending to stream {append.stream_id}."
                )
            return waiting.done.result()
        finally:
            waiting.done.cancel()

    async def close(self) -> None:
        """End what is being sent; whether it is stored is not known then."""
        for worker in self._workers:
            worker.cancel()
        await asyncio.gather(*self._workers, return_exceptions=True)

    def _enqueue(self, waiting: _Waiting) -> None:
        stream_id = waiting.append.stream_id
        if stream_id in self._waiting:
            self._waiting[stream_id].append(waiting)
            return
        self._waiting[stream_id] = deque([waiting])
        worker = asyncio.create_task(self._work(stream_id), name=f"append {stream_id}")
        self._workers.add(worker)
        worker.add_done_callback(self._workers.discard)

    async def _work(self, stream_id: str) -> None:
        waiting = self._waiting[stream_id]
        try:
            while group := _next_group(waiting):
                waiting.extendleft(reversed(await self._send(stream_id, group)))
        finally:
            del self._waiting[stream_id]
            for one in waiting:
                one.done.cancel()

    async def _send(self, stream_id: str, group: Sequence[_Waiting]) -> list[_Waiting]:
        """Send a group, and return those of it that have to be sent again."""
        try:
            answers: Sequence[Appended | Exception | None] = await self._appender.append(
                stream_id, [one.append for one in group]
            )
        except RejectedByCosmosError as error:
            if len(group) > 1:
                return await self._send_singly(stream_id, group)
            answers = [error]
        except Exception as error:  # noqa: BLE001 - fails only the appends in this group
            answers = [error] * len(group)
        except asyncio.CancelledError:
            for one in group:
                one.done.cancel()
            raise
        for one, answer in zip(group, answers, strict=True):
            _resolve(one, answer)
        return [one for one in group if not one.done.done()]

    async def _send_singly(self, stream_id: str, group: Sequence[_Waiting]) -> list[_Waiting]:
        """Send the appends of a rejected request one by one, as one of them may be the cause."""
        again = []
        for one in group:
            again += await self._send(stream_id, [one])
        return again


def _resolve(waiting: _Waiting, answer: Appended | Exception | None) -> None:
    """Give an answer, if there is one, to a caller that still waits."""
    if answer is None or waiting.done.done():
        return
    if isinstance(answer, Exception):
        waiting.done.set_exception(answer)
    else:
        waiting.done.set_result(answer)


def _next_group(waiting: deque[_Waiting]) -> list[_Waiting]:
    """Remove and return the appends that fit into the next request, whose callers still wait."""
    while waiting and waiting[0].done.done():
        waiting.popleft()
    count = count_fitting(one.append for one in waiting) if waiting else 0
    group = [waiting.popleft() for _ in range(count)]
    return [one for one in group if not one.done.done()]
