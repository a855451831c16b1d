"""A batch under way: what is derived and not yet durable, and what is still to be derived."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.dead_letters.poison import PoisonEvent
from core.errors import DeadlineExceededError, InvalidOutputError, TransientError
from core.projecting.emissions import MOST_BYTES
from core.projecting.fan_out import CHUNK_SIZE, FanOut
from core.throttling.deadline import GRACE_SECONDS
from core.tracking.fan_out_progress import FanOutProgress
from core.writing.delivery import Delivery
from core.writing.writes import Write

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence

    from core.errors import CosmosError
    from core.throttling.deadline import Deadline
    from core.throttling.stats import RequestStats
    from core.tracking.fan_out_progress import FanOutProgressStore
    from core.writing.writer import Writer

    OnPoison = Callable[[list[PoisonEvent]], Awaitable[None]]

logger = logging.getLogger(__name__)

_PORTION = 25
"""Source events between two moments in which others have their turn."""

_MOST_RUNS, _MOST_PENDING, _MOST_BYTES = 64, 100_000, 64 * 1024 * 1024
"""BatchRunCache runs that are kept, and derived events that all of them together may hold."""


class Run:
    """The work on a batch; an attempt goes on where the one before it stopped.

    Args:
        derived: What `derive` gives for the batch.
        durable: Derived events of it that are known to be durable already.

    Attributes:
        pending: Drawn, and not yet known to be durable or parked.
        durable: How many derived events are known to be durable.
        sent: Of these, sent by the latest attempt.
        blocked: Events that the line waits for.
        large: Fan-outs that were met of which more came than is drawn at once.
        opening: The last of them, until it is known whether somebody left a cursor for it.
        cursor: That cursor, until it is caught up with.
    """

    def __init__(self, derived: Iterator[FanOut | PoisonEvent], durable: int = 0) -> None:
        self._derived = derived
        self._current: FanOut | None = None
        self._settled: set[tuple[str, str]] = set()
        self._size = 0
        self.pending: list[Write | PoisonEvent] = []
        self.durable = durable
        self.sent = 0
        self.blocked: list[PoisonEvent] = []
        self.large: list[FanOut] = []
        self.opening: FanOut | None = None
        self.cursor: FanOutProgress | None = None

    @property
    def writes(self) -> list[Write]:
        """What is pending of derived events."""
        return [each for each in self.pending if isinstance(each, Write)]

    @property
    def poison(self) -> list[PoisonEvent]:
        """What is pending of events that cannot be projected."""
        return [each for each in self.pending if isinstance(each, PoisonEvent)]

    @property
    def unsettled(self) -> bool:
        """Whether there is work before anything more is to be drawn."""
        return bool(self.pending) or self.opening is not None

    def advance(self) -> bool:
        """Draw a little more of what is to be settled next; False where that is enough, or all."""
        for _ in range(_PORTION):
            if self.opening or len(self.pending) >= CHUNK_SIZE or self._size >= MOST_BYTES:
                return False
            if self._current is not None and not self._current.done:
                self._hold(self._current.draw())
            elif not self._begin_next():
                return False
        return True

    def settle(self) -> None:
        """All that was pending is durable or parked."""
        self.pending, self._size = [], 0

    def note_durable(self, writes: Sequence[Write]) -> None:
        """They were acknowledged."""
        self._settled.update(each[:2] for each in writes)
        self.durable += len(writes)
        self.sent += len(writes)

    def note_refused(self, write: Write, error: CosmosError) -> None:
        """Cosmos DB will never take a write, and its source event is to blame."""
        self._settled.add(write[:2])
        if not write.source.failed:
            reason = f"Cosmos DB refused a derived event with status {error.status}."
            self.pending.append(write.source.fail(InvalidOutputError(reason)))

    def drop_settled(self) -> None:
        """What is durable or refused is pending no more; nor is what was drawn twice."""
        self.pending = [
            each
            for each in self.pending
            if isinstance(each, PoisonEvent) or each[:2] not in self._settled
        ]
        self._settled.clear()
        self._size = _size(self.pending)

    def go_back(self, cursor: FanOutProgress) -> None:
        """The fan-out that was met last is not new: somebody left this cursor for it."""
        if self.opening is not None and self.cursor is None:
            del self.pending[-self.opening.drawn :]
            self._size = _size(self.pending)
            self.opening.restart()
            self.cursor = cursor

    def _begin_next(self) -> bool:
        found = next(self._derived, None)
        if isinstance(found, PoisonEvent):
            self._hold([found])
        elif found is not None:
            self._current = found
            self._hold(found.draw())
            if not found.done:
                self.large.append(found)
                self.opening = found
        return found is not None

    def _hold(self, drawn: list[Write | PoisonEvent]) -> None:
        self.pending += drawn
        self._size += _size(drawn)


def _size(drawn: Iterable[Write | PoisonEvent]) -> int:
    """Bytes of documents."""
    return sum(len(each.body) for each in drawn if isinstance(each, Write))


class BatchRunCache:
    """Runs that failed, so that the retry in this process goes on with them.

    What was acknowledged is then not sent again; a document that is written again, even
    unchanged, appears again in the change feed.
    """

    def __init__(self) -> None:
        self._runs: OrderedDict[object, Run] = OrderedDict()

    def take(self, batch: object) -> Run | None:
        """The run of this batch, if there is one; it is forgotten here."""
        return self._runs.pop(batch, None)

    def keep(self, batch: object, run: Run) -> None:
        """Remember for the retry; the oldest are forgotten first."""
        self._runs[batch] = run
        while len(self._runs) > 1 and self._are_too_much:
            self._runs.popitem(last=False)

    @property
    def _are_too_much(self) -> bool:
        pending = sum(len(run.pending) for run in self._runs.values())
        size = sum(_size(run.pending) for run in self._runs.values())
        return len(self._runs) > _MOST_RUNS or pending > _MOST_PENDING or size > _MOST_BYTES


@dataclass(frozen=True, kw_only=True)
class BatchRunner:
    """Carries runs out.

    Attributes:
        writer: Makes derived events durable.
        cursors: How far large fan-outs are.
    """

    writer: Writer
    cursors: FanOutProgressStore

    async def carry_on(
        self, run: Run, deadline: Deadline, stats: RequestStats, on_poison: OnPoison
    ) -> None:
        """Return when all that follows from the batch is durable, or was given to `on_poison`.

        Raises:
            DeadlineExceededError: Time ran out; the run can be carried on.
            CosmosError: Retrying cannot help; as above.
        """
        run.sent = 0
        while await _filled(run, deadline):
            await self._catch_up(run, deadline)
            await self._settle(run, deadline, stats, on_poison)

    async def finish(self, run: Run, deadline: Deadline) -> None:
        """Forget the cursors: nobody will have to go on with the batch.

        Raises:
            DeadlineExceededError, CosmosError: As above.
        """
        for fan_out in run.large:
            await self.cursors.remove(_cursor(fan_out), deadline)

    async def _settle(
        self, run: Run, deadline: Deadline, stats: RequestStats, on_poison: OnPoison
    ) -> None:
        try:
            await self.writer.write(
                run.writes,
                Delivery(
                    deadline=deadline,
                    stats=stats,
                    on_durable=run.note_durable,
                    on_refused=run.note_refused,
                ),
            )
        finally:
            run.drop_settled()
        if run.writes:
            raise TransientError(f"{len(run.writes)} derived events were not acknowledged.")
        await on_poison(run.poison)
        run.settle()
        for fan_out in run.large[-1:]:
            if not fan_out.failed:
                await self.cursors.save(_cursor(fan_out), deadline.at_least(GRACE_SECONDS))

    async def _catch_up(self, run: Run, deadline: Deadline) -> None:
        """Go to where an earlier process came with a large fan-out.

        The projection itself has to be run up to there, without the cost of writing; that takes
        more than one attempt if it must.
        """
        if run.opening is None:
            return
        cursor = run.cursor or await self.cursors.find(_cursor(run.opening), deadline)
        if cursor is not None:
            run.go_back(cursor)
            await _skip(run.opening, cursor.position, deadline)
            if run.opening.fingerprint == cursor.fingerprint:
                run.durable += cursor.position
            else:
                logger.warning(
                    "fanout.restarted projection=%s event=%s: it emits other events than before",
                    *(cursor.projection, cursor.event_id),
                )
                run.opening.restart()
        run.opening = run.cursor = None


def _cursor(fan_out: FanOut) -> FanOutProgress:
    """Return the progress of a fan-out of which everything drawn so far is durable."""
    return FanOutProgress(
        projection=fan_out.projection.name,
        stream_id=fan_out.stream_id,
        event_id=fan_out.event_id,
        position=fan_out.drawn,
        fingerprint=fan_out.fingerprint,
    )


async def _filled(run: Run, deadline: Deadline) -> bool:
    """Draw what is to be settled next; whether there is anything."""
    if not run.unsettled:
        while run.advance():
            await _let_others("projecting", deadline)
    return run.unsettled


async def _skip(fan_out: FanOut, position: int, deadline: Deadline) -> None:
    while fan_out.drawn < position and not fan_out.done:
        await _let_others("going on with a large fan-out", deadline)
        fan_out.skip(min(CHUNK_SIZE, position - fan_out.drawn))


async def _let_others(doing: str, deadline: Deadline) -> None:
    """Have their turn, in the midst of what only takes the processor."""
    if not deadline.remaining():
        raise DeadlineExceededError(f"The invocation's time is up while {doing}.")
    await asyncio.sleep(0)
