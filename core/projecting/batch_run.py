"""The state of the work on one batch, without I/O."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from core.dead_letters.poison import PoisonEvent
from core.errors import (
    EarlierEventParkedError,
    HopLimitError,
    InvalidOutputError,
    PoisonError,
    ProjectionTooSlowError,
)
from core.projecting.batch_result import BatchResult
from core.projecting.fan_out import CHUNK_SIZE, MAX_CHUNK_BYTES, FanOut
from core.writing.writes import Write, Written

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from core.model.documents import Cause
    from core.model.registry import ProjectionModule
    from core.projecting.parked_streams import ParkedEvent, ParkedStreams
    from core.projecting.turn import Turn
    from core.throttling.stats import RequestStats
    from core.tracking.fan_out_progress import FanOutProgress
    from core.writing.writes import WriteResult

_MAX_POISON_EVENTS = 100
"""The poison events, with their tracebacks, that are held before they are parked."""

_MAX_OVERRUNS = 2
"""How often a projection exceeds its limit on processor time until its event is poison."""


class ProjectionLimits(NamedTuple):
    """The limits on the derived events of one source event.

    Attributes:
        hops: The projections between an event and its command.
        cpu_seconds: The processor time for a chunk of a fan-out. What exceeds it twice is poison.
    """

    hops: int
    cpu_seconds: float


class BatchRun:
    """The work on one batch: an attempt continues where the one before it stopped.

    Args:
        module: The projection module.
        derived: What `derive` yields for the batch.
        limits: The limits on what follows from one event.
        parked_streams: The streams with a parked event, if the module parks streams.
        blocked_run: The run that this one continues with its blocked events alone.

    Attributes:
        pending: The derived events that are not known to be durable, by stream and id.
        poison_events: The events that cannot be projected and have no dead letter yet.
        parked: The number of events that the latest attempt parked.
        blocked: The events that block the lease.
        written: The number of derived events that are durable.
        newly_written: The number of these that the latest attempt wrote.
        large_fan_outs: The fan-outs with more than one chunk.
        new_fan_out: The latest large fan-out, until its stored progress has been looked up.
        progress: That progress, until the fan-out has caught up with it.
    """

    def __init__(
        self,
        module: ProjectionModule,
        derived: Iterator[FanOut | PoisonEvent],
        *,
        limits: ProjectionLimits,
        parked_streams: ParkedStreams | None = None,
        blocked_run: BatchRun | None = None,
    ) -> None:
        self.pending: dict[tuple[str, str], Write] = {}
        self.poison_events: list[PoisonEvent] = []
        self.parked = 0
        self.blocked: list[PoisonEvent] = []
        self.written: int = blocked_run.written if blocked_run else 0
        self.newly_written = 0
        self.large_fan_outs: list[FanOut] = blocked_run.large_fan_outs if blocked_run else []
        self.new_fan_out: FanOut | None = None
        self.progress: FanOutProgress | None = None
        self._module = module
        self._derived = derived
        self._limits = limits
        self._parked_streams = parked_streams
        self._current: FanOut | None = None
        self._waiting: FanOut | None = None
        self._first_chunk: list[Write] = []
        self._failed: set[Cause] = set()
        self._bytes = 0
        self._slow_chunk: tuple[Cause, int] | None = None
        self._cpu_seconds = 0.0
        self._overruns = 0

    @property
    def has_pending_work(self) -> bool:
        """Whether there is work before more is to be derived."""
        return bool(self.pending or self.poison_events or self.new_fan_out)

    @property
    def held(self) -> tuple[int, int]:
        """The number of writes that it holds, and their bytes."""
        first = sum(len(write.body) for write in self._first_chunk)
        count, size = self._current.held if self._current else (0, 0)
        return len(self.pending) + len(self._first_chunk) + count, self._bytes + first + size

    def prepare_retry(self) -> None:
        """Reset the counts of what one attempt does."""
        self.newly_written = self.parked = 0

    def fill_pending(self, turn: Turn) -> bool:
        """Derive until the turn is over, and return whether to continue before writing."""
        while not self._is_full:
            if (self._current is None or self._current.is_done) and not self._open_next():
                return False
            if self._current is not None and not self._current.is_done:
                self._derive_chunk(self._current, turn)
            if turn.is_over:
                return True
        return False

    def apply(self, result: WriteResult) -> None:
        """Take the writes of a result off those that are pending."""
        writes = result.writes if isinstance(result, Written) else [result.write]
        for write in writes:
            pending = self.pending.pop(write[:2], None)
            self._bytes -= len(pending.body) if pending else 0
        if isinstance(result, Written):
            self.written += len(writes)
            self.newly_written += len(writes)
        else:
            reason = f"Cosmos DB rejected a derived event with status {result.error.status}."
            self._fail(result.write.cause, InvalidOutputError(reason))

    def hold_streams(self, parked: Iterable[ParkedEvent]) -> None:
        """Park what comes later in the streams of parked events, if the module parks streams."""
        if self._parked_streams is not None:
            self._parked_streams.add(parked)

    def start_new_fan_out(self) -> None:
        """Write the new fan-out from its first chunk on: it has no stored progress."""
        self._hold(self._first_chunk)
        self._first_chunk, self.new_fan_out = [], None

    def resume_new_fan_out(self, fan_out: FanOut, progress: FanOutProgress) -> None:
        """Start the new fan-out again, to be skipped up to its stored progress."""
        if self.progress is None:
            self._first_chunk, self.progress = [], progress
            fan_out.restart()

    def finish_resuming(self, fan_out: FanOut, progress: FanOutProgress) -> bool:
        """Continue the new fan-out, or return False if it starts again as it emits other events."""
        self.new_fan_out = self.progress = None
        if fan_out.fingerprint == progress.fingerprint:
            self.written += progress.written
            return True
        fan_out.restart()
        return False

    def result(self, events: int, stats: RequestStats) -> BatchResult:
        """Return the result of a batch of the given number of documents."""
        return BatchResult(
            events=events,
            derived=self.written,
            already_written=self.written - self.newly_written,
            parked=self.parked,
            stats=stats,
        )

    @property
    def _is_full(self) -> bool:
        """Whether what is derived must be written or parked first."""
        return (
            self.new_fan_out is not None
            or len(self.pending) >= CHUNK_SIZE
            or self._bytes >= MAX_CHUNK_BYTES
            or len(self.poison_events) >= _MAX_POISON_EVENTS
        )

    def _open_next(self) -> bool:
        """Take the next fan-out or poison event, or return False at the end."""
        opened, self._waiting = self._waiting or next(self._derived, None), None
        if isinstance(opened, PoisonEvent):
            self._add(opened)
        elif opened is not None:
            if self._parked_streams is not None and self._must_wait(opened, self._parked_streams):
                self._waiting = opened
                return False
            self._open(opened)
        return opened is not None

    def _must_wait(self, fan_out: FanOut, parked: ParkedStreams) -> bool:
        """Return whether it depends on what is pending whether the event must be parked."""
        if not self.has_pending_work:
            parked.finish()
        return parked.must_wait(fan_out.projection, fan_out.cause)

    def _open(self, fan_out: FanOut) -> None:
        self._current = fan_out
        parked = self._parked_streams
        if parked is not None and parked.must_park(fan_out.projection, fan_out.cause):
            error = EarlierEventParkedError("An earlier event of its stream is parked.")
            self._fail(fan_out.cause, error)
        elif (hops := fan_out.source.meta.hops) >= self._limits.hops:
            self._fail(fan_out.cause, _hop_limit_error(hops, self._limits.hops))

    def _derive_chunk(self, fan_out: FanOut, turn: Turn) -> None:
        """Derive the next chunk, of which the first of several waits for its stored progress."""
        try:
            writes = fan_out.next_writes(turn)
        except PoisonError as error:
            self._fail(fan_out.cause, error)
            return
        if writes is None:
            self._record_cpu_time(fan_out, turn.cpu_seconds)
            return
        if self._parked_streams is not None:
            self._parked_streams.start(fan_out.cause)
        if fan_out.is_done or fan_out in self.large_fan_outs:
            self._hold(writes)
        else:
            self.large_fan_outs.append(fan_out)
            self.new_fan_out, self._first_chunk = fan_out, writes

    def _record_cpu_time(self, fan_out: FanOut, seconds: float) -> None:
        """Add the processor time of a turn that ended within a chunk, over all attempts.

        Other threads and processes do not count, nor other events but for the same turn.
        """
        chunk = fan_out.cause, fan_out.derived_count
        if chunk != self._slow_chunk:
            self._slow_chunk, self._cpu_seconds, self._overruns = chunk, 0.0, 0
        self._cpu_seconds += seconds
        if self._cpu_seconds > self._limits.cpu_seconds:
            self._cpu_seconds = 0.0
            self._overruns += 1
            if self._overruns >= _MAX_OVERRUNS:
                self._fail(fan_out.cause, _too_slow_error(fan_out, self._limits.cpu_seconds))

    def _hold(self, writes: list[Write]) -> None:
        for write in writes:
            if (key := write[:2]) not in self.pending:
                self.pending[key] = write
                self._bytes += len(write.body)

    def _fail(self, cause: Cause, error: PoisonError) -> None:
        """Make a poison event of a source event whose derived events cannot all be stored."""
        for fan_out in (self._current, *self.large_fan_outs[-1:]):
            if fan_out is not None and fan_out.cause == cause:
                fan_out.fail()
        if cause in self._failed:
            return
        self._failed.add(cause)
        blocks = self._module.blocks(cause.projection)
        self._add(PoisonEvent.from_error(self._module, cause, error, blocks=blocks))

    def _add(self, poison_event: PoisonEvent) -> None:
        if self._parked_streams is not None:
            self._parked_streams.start(poison_event.cause)
        self.poison_events.append(poison_event)


def _hop_limit_error(hops: int, max_hops: int) -> HopLimitError:
    return HopLimitError(f"{hops} projections lie behind this event; the limit is {max_hops}.")


def _too_slow_error(fan_out: FanOut, cpu_seconds: float) -> ProjectionTooSlowError:
    return ProjectionTooSlowError(
        f"Projection {fan_out.projection.name} twice used {cpu_seconds:g} s of processor time on "
        "this event without completing it or 10,000 derived events. Make it faster, then replay."
    )
