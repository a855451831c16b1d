"""Processes batches of the change feed until everything that they imply is durable."""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import aclosing
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING, Any, Protocol

from core.errors import (
    CosmosError,
    DeadlineExceededError,
    ProjectionBlockedError,
    TransientError,
)
from core.projecting.batch_run import BatchRun
from core.projecting.derivation import derive
from core.projecting.parked_streams import ParkedStreams, in_stream_order
from core.projecting.run_cache import BatchRunCache
from core.projecting.turn import Turn
from core.telemetry.log_values import log_value
from core.throttling.deadline import GRACE_SECONDS
from core.throttling.stats import RequestStats
from core.tracking.fan_out_progress import FanOutProgress, container_rid

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence

    from core.dead_letters.poison import PoisonEvent
    from core.dead_letters.store import DeadLetterStore
    from core.model.registry import ProjectionModule
    from core.projecting.batch_result import BatchResult
    from core.projecting.batch_run import ProjectionLimits
    from core.projecting.fan_out import FanOut
    from core.projecting.parked_streams import ParkedEvent
    from core.throttling.deadline import Deadline
    from core.tracking.fan_out_progress import FanOutProgressStore
    from core.writing.writes import Write, WriteResult

logger = logging.getLogger(__name__)

_VERSION = ("streamId", "id", "_rid", "_etag")
"""What names one version of a document in one container."""

_CALLBACKS = 3
"""The callbacks, one after the other, from a socket or a timer to the task that waits for it."""


class ResultWriter(Protocol):
    """What writes documents and yields the result of each."""

    def write(
        self, writes: Iterable[Write], deadline: Deadline, stats: RequestStats
    ) -> AsyncGenerator[WriteResult, None]:
        """Write all documents, and yield the result of each as soon as it is known."""


@dataclass(frozen=True, kw_only=True)
class BatchProcessor:
    """Runs projection modules over batches.

    Attributes:
        writer: What makes derived events durable.
        dead_letters: The store for events that cannot be projected.
        fan_out_progress: The store for the progress of large fan-outs.
        limits: The limits on what follows from one event.
        cpu_clock: The seconds of processor time of the thread.
        failed_runs: The runs of batches that failed, for their retries.
    """

    writer: ResultWriter
    dead_letters: DeadLetterStore
    fan_out_progress: FanOutProgressStore
    limits: ProjectionLimits
    cpu_clock: Callable[[], float] = time.thread_time
    failed_runs: BatchRunCache = field(default_factory=BatchRunCache)

    async def process(
        self, module: ProjectionModule, documents: Sequence[Mapping[str, Any]], deadline: Deadline
    ) -> BatchResult:
        """Return when everything that the batch implies for the module is durable.

        Processing it again, here or elsewhere, completely or after a failure, leads to the same
        documents.

        Raises:
            ProjectionBlockedError: If a projection with `on_failure="block"` fails on an event;
                everything else is durable.
            DeadlineExceededError: If the deadline is reached; process the batch again.
            CosmosError: If Cosmos DB returns an error that is not retryable.
        """
        events = [(document.get("streamId"), document.get("id")) for document in documents]
        parked = await self._parked_events(module, documents, deadline)
        run = self.failed_runs.pop(_batch_key(module, documents)) if self.failed_runs else None
        run = run or self._start(module, documents)
        if parked:
            run.hold_streams(parked)
        stats = RequestStats(module=module.name)
        try:
            async with aclosing(self.complete(run, deadline, stats)) as chunks:
                async for poison_events in chunks:
                    await self._record(run, poison_events, deadline)
            if not run.blocked:
                await self.dead_letters.unblock(module, events, deadline)
        except (CosmosError, DeadlineExceededError, asyncio.CancelledError):
            self.failed_runs.put(_batch_key(module, documents), run, documents)
            raise
        if run.blocked:
            run_of_blocked = self._only_blocked(run, module, documents)
            self.failed_runs.put(_batch_key(module, documents), run_of_blocked, documents)
            raise _blocked_error(run.blocked[0])
        return run.result(len(documents), stats)

    async def complete(
        self, run: BatchRun, deadline: Deadline, stats: RequestStats
    ) -> AsyncGenerator[list[PoisonEvent], None]:
        """Make everything that follows from a batch durable, and yield what cannot be projected.

        The generator must be closed. Poison events that are yielded must be durable before the next
        ones are requested.

        Raises:
            DeadlineExceededError: If the deadline is reached; the run can be continued.
            CosmosError: If Cosmos DB returns an error that is not retryable; as above.
        """
        while await self._fill(run, deadline):
            if run.new_fan_out is not None:
                await self._resume(run, run.new_fan_out, deadline)
            if run.pending:
                await self._write(run, deadline, stats)
            if run.poison_events:
                yield run.poison_events
                run.poison_events = []
            if run.large_fan_outs and not run.large_fan_outs[-1].has_failed:
                progress = _progress_of(run.large_fan_outs[-1])
                await self.fan_out_progress.save(progress, deadline.at_least(GRACE_SECONDS))
        for fan_out in () if run.blocked else run.large_fan_outs:
            await self.fan_out_progress.remove(_progress_of(fan_out), deadline)

    def _start(self, module: ProjectionModule, documents: Sequence[Mapping[str, Any]]) -> BatchRun:
        """Return a run of a batch, which has each stream in its order if the module parks any."""
        if not module.parks_streams:
            return BatchRun(module, derive(module, documents), limits=self.limits)
        derived = derive(module, in_stream_order(documents))
        return BatchRun(module, derived, limits=self.limits, parked_streams=ParkedStreams())

    def _only_blocked(
        self, run: BatchRun, module: ProjectionModule, documents: Sequence[Mapping[str, Any]]
    ) -> BatchRun:
        """Return a run of the events that block the lease, so that no others are written again."""
        by_id = {(str(one.get("streamId")), str(one.get("id"))): one for one in documents}
        derived = [
            derive(
                module.restricted_to(cause.projection),
                [by_id[str(cause.stream_id), str(cause.event_id)]],
            )
            for cause in (poison_event.cause for poison_event in run.blocked)
        ]
        return BatchRun(
            module,
            chain.from_iterable(derived),
            limits=self.limits,
            parked_streams=ParkedStreams() if module.parks_streams else None,
            blocked_run=run,
        )

    async def _parked_events(
        self,
        module: ProjectionModule,
        documents: Sequence[Mapping[str, Any]],
        deadline: Deadline,
    ) -> Sequence[ParkedEvent]:
        """Return the first parked event of each of the batch's streams, if the module parks any."""
        if not module.parks_streams:
            return ()
        stream_ids = {str(document.get("streamId")) for document in documents}
        return await self.dead_letters.parked_orders(module, stream_ids, deadline)

    async def _fill(self, run: BatchRun, deadline: Deadline) -> bool:
        """Derive the next chunk, and return whether there is work."""
        if not run.has_pending_work:
            while run.fill_pending(self._turn(deadline)):
                await _let_others_run("projecting", deadline)
        return run.has_pending_work

    def _turn(self, deadline: Deadline) -> Turn:
        return Turn.start(deadline.clock, self.cpu_clock)

    async def _write(self, run: BatchRun, deadline: Deadline, stats: RequestStats) -> None:
        writes = run.pending.values()
        async with aclosing(self.writer.write(writes, deadline, stats)) as results:
            async for result in results:
                run.apply(result)  # without awaiting, or a cancellation would lose results
        if run.pending:
            raise TransientError(f"{len(run.pending)} derived events were not acknowledged.")

    async def _resume(self, run: BatchRun, fan_out: FanOut, deadline: Deadline) -> None:
        """Continue a large fan-out where another process stopped.

        The projection has to be run up to there, without the cost of writing; that takes more than
        one attempt if necessary.
        """
        started = _progress_of(fan_out)
        progress = run.progress or await self.fan_out_progress.find(started, deadline)
        if progress is None:
            run.start_new_fan_out()
            return
        run.resume_new_fan_out(fan_out, progress)
        while fan_out.derived_count < progress.written and not fan_out.is_done:
            await _let_others_run("resuming a large fan-out", deadline)
            fan_out.skip(progress.written, self._turn(deadline))
        if not run.finish_resuming(fan_out, progress):
            logger.warning(
                "fan_out.restarted projection=%s stream_id=%s event_id=%s reason=output_changed",
                *(progress.projection, progress.stream_id, progress.event_id),
            )

    async def _record(
        self, run: BatchRun, poison_events: Sequence[PoisonEvent], deadline: Deadline
    ) -> None:
        """Park each event, or record that it blocks the lease."""
        parked, blocked = [], []
        for poison_event in poison_events:
            if poison_event.blocks and await self.dead_letters.record_block(poison_event, deadline):
                blocked.append(poison_event)
            else:
                parked.append(poison_event)
        parked = await self.dead_letters.park(parked, deadline)
        causes = (poison_event.cause for poison_event in (*parked, *blocked))
        run.hold_streams((one.projection, one.stream_id, one.stream_order) for one in causes)
        run.blocked += blocked
        run.parked += len(parked)
        for poison_event in parked:
            logger.error(
                "event.parked module=%s projection=%s stream_id=%s event_id=%s error_type=%s",
                poison_event.module,
                poison_event.cause.projection or "-",
                log_value(poison_event.cause.stream_id),
                log_value(poison_event.cause.event_id),
                poison_event.failure.error_type,
            )


def _batch_key(module: ProjectionModule, documents: Sequence[Mapping[str, Any]]) -> object:
    return module.name, *(tuple(map(str, map(one.get, _VERSION))) for one in documents)


def _progress_of(fan_out: FanOut) -> FanOutProgress:
    """Return the progress of a fan-out of which everything derived so far is durable."""
    return FanOutProgress(
        projection=fan_out.projection.name,
        stream_id=fan_out.cause.stream_id,
        event_id=fan_out.cause.event_id,
        container=container_rid(fan_out.source.rid),
        lsn=fan_out.source.lsn,
        written=fan_out.derived_count,
        fingerprint=fan_out.fingerprint,
    )


def _blocked_error(poison_event: PoisonEvent) -> ProjectionBlockedError:
    cause, failure = poison_event.cause, poison_event.failure
    return ProjectionBlockedError(
        f"Projection {cause.projection or poison_event.module} failed on event {cause.event_id} "
        f"({failure.error_type}); its lease is blocked. Deploy a fix or discard the dead letter."
    )


async def _let_others_run(action: str, deadline: Deadline) -> None:
    """Give other tasks a turn, in the midst of what only takes processor time."""
    deadline.check(action)
    for _ in range(_CALLBACKS):
        await asyncio.sleep(0)
