"""What happens to a batch of the change feed: derive, plan, write; return when all is durable."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING, Any

from core.cosmos.retrying import Effort
from core.errors import BlockedError, BudgetSpentError, CosmosError
from core.projecting.batch_run import Run, Runner, Unfinished
from core.projecting.derivation import derive
from core.projecting.parked_streams import Sequences

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from core.dead_letters.poison import Poison
    from core.dead_letters.store import DeadLetters
    from core.model.registry import ProjectionModule
    from core.throttling.deadline import Budget

logger = logging.getLogger(__name__)


@dataclass(kw_only=True)
class Outcome:
    """What one batch came to.

    Attributes:
        events: Documents in the batch.
        derived: Derived events that are durable now.
        spared: Of these, written by an earlier attempt and not sent again.
        parked: Dead letters that are durable now.
        effort: What the writing took.
    """

    events: int
    derived: int = 0
    spared: int = 0
    parked: int = 0
    effort: Effort = field(default_factory=Effort)


@dataclass(frozen=True, kw_only=True)
class Pipeline:
    """Runs projection modules over batches.

    Attributes:
        runner: Makes what they derive durable.
        dead_letters: Takes what cannot be projected.
        max_hops: Limit on projections between an event and its command.
        unfinished: Batches that failed, for their retry.
    """

    runner: Runner
    dead_letters: DeadLetters
    max_hops: int
    unfinished: Unfinished = field(default_factory=Unfinished)

    async def project(
        self, module: ProjectionModule, documents: Sequence[Mapping[str, Any]], budget: Budget
    ) -> Outcome:
        """Return when everything that the batch implies for the module is durable.

        Doing it again, here or elsewhere, wholly or after a failure, leads to the same documents.

        Raises:
            BlockedError: An event fails in a projection that stops the line; all others are done.
            BudgetSpentError: Time ran out; the same batch must be projected again.
            CosmosError: Retrying cannot help before something is corrected.
        """
        key = (module.name, tuple((str(d.get("streamId")), str(d.get("id"))) for d in documents))
        run = self.unfinished.take(key) or await self._begin(module, documents, budget)
        outcome = Outcome(events=len(documents), effort=Effort(module=module.name))
        try:
            await self._carry_on(run, outcome, budget)
            await self._check_line(module, documents, run, budget)
            await self.runner.finish(run, budget)
        except BlockedError:
            self.unfinished.keep(key, run)
            self.unfinished.keep(key, await self._once_more(module, documents, run, budget))
            raise
        except (CosmosError, BudgetSpentError, asyncio.CancelledError):
            self.unfinished.keep(key, run)
            raise
        outcome.derived, outcome.spared = run.durable, run.durable - run.sent
        return outcome

    async def _begin(
        self, module: ProjectionModule, documents: Sequence[Mapping[str, Any]], budget: Budget
    ) -> Run:
        sequences = await self._sequences(module, budget)
        return Run(derive(module, documents, max_hops=self.max_hops, sequences=sequences))

    async def _once_more(
        self,
        module: ProjectionModule,
        documents: Sequence[Mapping[str, Any]],
        run: Run,
        budget: Budget,
    ) -> Run:
        """Only what blocks the line is tried again; nothing else of the batch is written again."""
        by_id = {(str(each.get("streamId")), str(each.get("id"))): each for each in documents}
        sequences = await self._sequences(module, budget)
        again = [
            derive(
                module.only(each.projection),
                [by_id[str(each.stream_id), str(each.event_id)]],
                max_hops=self.max_hops,
                sequences=sequences,
            )
            for each in run.blocked
        ]
        once_more = Run(chain.from_iterable(again), run.durable)
        once_more.large = run.large
        return once_more

    async def _sequences(self, module: ProjectionModule, budget: Budget) -> Sequences:
        """The streams that wait behind a dead letter; only asked for where it matters."""
        if not module.keeps_order:
            return Sequences()
        return Sequences(await self.dead_letters.waiting(module.name, budget))

    async def _carry_on(self, run: Run, outcome: Outcome, budget: Budget) -> None:
        async def settle(poison: list[Poison]) -> None:
            parked = [each for each in poison if not await self._blocks(each, budget)]
            await self.dead_letters.park(parked, budget)
            for each in parked:
                _log_parked(each)
            run.blocked += [each for each in poison if each not in parked]
            outcome.parked += len(parked)

        await self.runner.carry_on(run, budget, outcome.effort, settle)

    async def _blocks(self, poison: Poison, budget: Budget) -> bool:
        return poison.blocks and await self.dead_letters.block(poison, budget)

    async def _check_line(
        self,
        module: ProjectionModule,
        documents: Sequence[Mapping[str, Any]],
        run: Run,
        budget: Budget,
    ) -> None:
        """Stop the line where an event blocks it; otherwise forget those that did before."""
        for each in run.blocked[:1]:
            raise BlockedError(
                f"Projection {each.projection or each.module} cannot project event "
                f"{each.event_id} ({each.error_type}), and its line waits. Mend it, or discard "
                "its dead letter."
            )
        if not module.can_block:
            return
        done = [(each.get("streamId"), each.get("id")) for each in documents]
        for letter in await self.dead_letters.blocking(module.name, budget):
            if (letter.stream_id, letter.event_id) in done:
                await self.dead_letters.remove(letter, budget)


def _log_parked(poison: Poison) -> None:
    logger.error(
        "event.parked projection=%s stream=%s event=%s error=%s",
        poison.projection or poison.module,
        poison.stream_id,
        poison.event_id,
        poison.error_type,
    )
