"""Decisions that are made on the state of a stream, and stored only if nothing came between."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from core.errors import DeadlineExceededError, EngineError, PositionConflictError, Refused
from core.ids import own_event_id
from core.model.documents import Document
from core.model.times import next_time, parse_time
from core.streams.event_store import DELAYS
from core.streams.keys import Appended, recorded_answer
from core.streams.pacer import Pacer
from core.streams.stream_state import stream_state

if TYPE_CHECKING:
    from core.streams.append_queue import AppendQueue
    from core.streams.appender import Appender
    from core.streams.appends import Append
    from core.streams.stream_state import StreamState

logger = logging.getLogger(__name__)

Decision = Sequence[Document] | Refused
"""The documents of the events that follow, as an append takes them, or a refusal."""

Decide = Callable[[Sequence[Document], datetime], Awaitable[Decision]]
"""A function from the events of a stream, as they are stored, and the time of what follows to a
decision. It may wait only to let other tasks continue."""


@dataclass(frozen=True, kw_only=True)
class DecisionMaker:
    """Lets a command decide on the newest state of its stream.

    Attributes:
        appender: What reads and writes documents.
        queue: What appends.
    """

    appender: Appender
    queue: AppendQueue

    async def execute(
        self, append: Append, decide: Decide, expected_position: int | None = None
    ) -> Appended:
        """Return what was appended, directly behind the events that the decision was made on.

        The decision is made again if another append came between. A refusal is given only if the
        state that it was made on is the newest one. It is recorded if the command has a key, so
        that a repetition gets the same answer. If nothing is to be appended, nothing is recorded.

        Args:
            append: What identifies the execution; its events are those of the decision.
            decide: The decision.
            expected_position: The position that the stream must have, None for any.

        Raises:
            Refused: If the decision, or that of an earlier execution with the key, is a refusal.
            IdempotencyKeyReusedError: If the key was used for another request.
            PositionConflictError: If the stream does not have the expected position.
            DeadlineExceededError: If the deadline is reached. It may or may not be stored.
            EngineError: As `Appender.append` raises it.
        """
        while True:
            state = await self._read(append)
            if append.key is not None and append.key.id in state.keys:
                return _result(recorded_answer(append.key, state.keys[append.key.id]))
            if expected_position not in (None, state.head.position):
                await self._check_position(append, state, expected_position)
                continue
            try:
                return await self._decide(append, state, decide)
            except PositionConflictError:
                if expected_position is not None:
                    raise
            append.deadline.check(f"deciding on stream {append.stream_id}")
            await self.appender.pause()

    async def _read(self, append: Append) -> StreamState:
        """Return the state of the stream, read again while a position is missing."""
        store, stream_id = self.appender.store, append.stream_id
        for delay in DELAYS:
            append.deadline.check(f"reading stream {stream_id}", delay)
            await store.sleep(delay)
            pages = store.reader.pages(stream_id, append.deadline)
            state = await stream_state(pages, Pacer())
            if state.is_whole:
                return state
        logger.error("stream.gap stream_id=%s head=%d", stream_id, state.head.position)
        raise DeadlineExceededError(
            f"Stream {stream_id} has no event at some position before {state.head.position}."
        )

    async def _check_position(self, append: Append, state: StreamState, position: int) -> None:
        """Return if the position is there, and only the state that was read is older.

        Raises:
            PositionConflictError: If the stream has another position.
        """
        if state.head.position < position:
            await self.appender.expecting(append, position)
            return
        raise PositionConflictError(f"Stream {append.stream_id} has events after {position}.")

    async def _decide(self, append: Append, state: StreamState, decide: Decide) -> Appended:
        """Return what was appended after a decision on a state.

        Raises:
            PositionConflictError: If the state is not the newest one.
        """
        time = next_time(self.appender.now(), *filter(None, (state.floor,)))
        decision = await decide(state.events, parse_time(time))
        if isinstance(decision, Refused):
            return await self._refuse(append, state, decision)
        if not decision:
            return Appended()
        return await self.queue.append(
            replace(append, events=decision, expected=state.head, time=time)
        )

    async def _refuse(self, append: Append, state: StreamState, refusal: Refused) -> Appended:
        """Raise a refusal, unless an earlier execution with the key has another answer."""
        stream_id, following = append.stream_id, own_event_id(state.head.position + 1)
        # It is read where writes run, so that what another process has just written is there.
        if await self.appender.store.reader.get(stream_id, following, append.deadline) is not None:
            raise PositionConflictError(f"Stream {stream_id} has {following} meanwhile.")
        if append.key is None:
            raise refusal
        return _result(await self.appender.record_refusal(append, append.key, refusal))


def _result(answer: Appended | EngineError) -> Appended:
    if isinstance(answer, EngineError):
        raise answer
    return answer
