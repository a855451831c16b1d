"""What happens to a batch of the change feed: derive, plan, write; return when all is durable."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING, Any

from core.errors import CosmosError, DeadlineExceededError, ProjectionBlockedError
from core.projecting.batch_run import BatchRunCache, BatchRunner, Run
from core.projecting.derivation import derive
from core.projecting.parked_streams import ParkedStreams
from core.throttling.stats import RequestStats

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from core.dead_letters.poison import PoisonEvent
    from core.dead_letters.store import DeadLetterStore
    from core.model.registry import ProjectionModule
    from core.throttling.deadline import Deadline

logger = logging.getLogger(__name__)


@dataclass(kw_only=True)
class BatchResult:
    """What one batch came to.

    Attributes:
        events: Documents in the batch.
        derived: Derived events that are durable now.
        spared: Of these, written by an earlier attempt and not sent again.
        parked: Dead letters that are durable now.
        stats: What the writing took.
    """

    events: int
    derived: int = 0
    spared: int = 0
    parked: int = 0
    stats: RequestStats = field(default_factory=RequestStats)


@dataclass(frozen=True, kw_only=True)
class BatchProcessor:
    """Runs projection modules over batches.

    Attributes:
        runner: Makes what they derive durable.
        dead_letters: Takes what cannot be projected.
        max_hops: Limit on projections between an event and its command.
        unfinished: Batches that failed, for their retry.
    """

    runner: BatchRunner
    dead_letters: DeadLetterStore
    max_hops: int
    unfinished: BatchRunCache = field(default_factory=BatchRunCache)

    async def project(
        self, module: ProjectionModule, documents: Sequence[Mapping[str, Any]], deadline: Deadline
    ) -> BatchResult:
        """Return when everything that the batch implies for the module is durable.

        Doing it again, here or elsewhere, wholly or after a failure, leads to the same documents.

        Raises:
            ProjectionBlockedError: An event fails in a projection that blocks its lease.
            DeadlineExceededError: Time ran out; the same batch must be projected again.
            CosmosError: Retrying cannot help before something is corrected.
        """
        key = (module.name, tuple((str(d.get("streamId")), str(d.get("id"))) for d in documents))
        run = self.unfinished.take(key) or await self._begin(module, documents, deadline)
        outcome = BatchResult(events=len(documents), stats=RequestStats(module=module.name))
        try:
            await self._carry_on(run, outcome, deadline)
            await self._check_line(module, documents, run, deadline)
            await self.runner.finish(run, deadline)
        except ProjectionBlockedError:
            self.unfinished.keep(key, run)
            self.unfinished.keep(key, await self._once_more(module, documents, run, deadline))
            raise
        except (CosmosError, DeadlineExceededError, asyncio.CancelledError):
            self.unfinished.keep(key, run)
            raise
        outcome.derived, outcome.spared = run.durable, run.durable - run.sent
        return outcome

    async def _begin(
        self, module: ProjectionModule, documents: Sequence[Mapping[str, Any]], deadline: Deadline
    ) -> Run:
        sequences = await self._sequences(module, deadline)
        return Run(derive(module, documents, max_hops=self.max_hops, sequences=sequences))

    async def _once_more(
        self,
        module: ProjectionModule,
        documents: Sequence[Mapping[str, Any]],
        run: Run,
        deadline: Deadline,
    ) -> Run:
        """Only what blocks the line is tried again; nothing else of the batch is written again."""
        by_id = {(str(each.get("streamId")), str(each.get("id"))): each for each in documents}
        sequences = await self._sequences(module, deadline)
        again = [
            derive(
                module.restricted_to(each.projection),
                [by_id[str(each.stream_id), str(each.event_id)]],
                max_hops=self.max_hops,
                sequences=sequences,
            )
            for each in run.blocked
        ]
        once_more = Run(chain.from_iterable(again), run.durable)
        once_more.large = run.large
        return once_more

    async def _sequences(self, module: ProjectionModule, deadline: Deadline) -> ParkedStreams:
        """The streams that wait behind a dead letter; only asked for where it matters."""
        if not module.parks_streams:
            return ParkedStreams()
        return ParkedStreams(await self.dead_letters.parked_positions(module.name, deadline))

    async def _carry_on(self, run: Run, outcome: BatchResult, deadline: Deadline) -> None:
        async def settle(poison: list[PoisonEvent]) -> None:
            parked = [each for each in poison if not await self._blocks(each, deadline)]
            await self.dead_letters.park(parked, deadline)
            for each in parked:
                _log_parked(each)
            run.blocked += [each for each in poison if each not in parked]
            outcome.parked += len(parked)

        await self.runner.carry_on(run, deadline, outcome.stats, settle)

    async def _blocks(self, poison: PoisonEvent, deadline: Deadline) -> bool:
        return poison.blocks and await self.dead_letters.record_block(poison, deadline)

    async def _check_line(
        self,
        module: ProjectionModule,
        documents: Sequence[Mapping[str, Any]],
        run: Run,
        deadline: Deadline,
    ) -> None:
        """Stop the line where an event blocks it; otherwise forget those that did before."""
        for each in run.blocked[:1]:
            raise ProjectionBlockedError(
                f"Projection {each.projection or each.module} cannot project event "
                f"{each.event_id} ({each.error_type}), and its line waits. Mend it, or discard "
                "its dead letter."
            )
        if not module.can_block:
            return
        done = [(each.get("streamId"), each.get("id")) for each in documents]
        await self.dead_letters.unblock(module.name, done, deadline)


def _log_parked(poison: PoisonEvent) -> None:
    logger.error(
        "event.parked projection=%s stream=%s event=%s error=%s",
        poison.projection or poison.module,
        poison.stream_id,
        poison.event_id,
        poison.error_type,
    )
