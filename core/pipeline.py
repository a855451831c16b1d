"""What happens to a batch of the change feed: derive, plan, write; return when all is durable."""

from __future__ import annotations

import logging
from collections import OrderedDict
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any

from core.batching import Batch, plan
from core.derivation import Poison, Write, derive
from core.retrying import Effort

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from core.budget import Budget
    from core.deadletters import DeadLetters
    from core.registry import ProjectionModule
    from core.writer import Writer

logger = logging.getLogger(__name__)

_CHUNK = 10_000
"""Derived events that are planned together; it bounds memory, and larger batches save requests."""

_REMEMBERED_BATCHES = 64


class Acknowledged:
    """What was already durable when a batch failed, so that its retry does not send it again.

    A document that is written again, even unchanged, appears again in the change feed.
    """

    def __init__(self) -> None:
        self._batches: OrderedDict[object, set[tuple[str, str]]] = OrderedDict()

    def recall(self, batch: object) -> set[tuple[str, str]]:
        """What is remembered of this batch; it is forgotten here."""
        return self._batches.pop(batch, set())

    def keep(self, batch: object, durable: set[tuple[str, str]]) -> None:
        """Remember for the retry; the oldest unfinished batches are forgotten first."""
        self._batches[batch] = durable
        while len(self._batches) > _REMEMBERED_BATCHES:
            self._batches.popitem(last=False)


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
        writer: Makes derived events durable.
        dead_letters: Takes what cannot be projected.
        max_hops: Limit on projections between an event and its command.
        acknowledged: What failed batches had already written.
    """

    writer: Writer
    dead_letters: DeadLetters
    max_hops: int
    acknowledged: Acknowledged = field(default_factory=Acknowledged)

    async def project(
        self, module: ProjectionModule, documents: Sequence[Mapping[str, Any]], budget: Budget
    ) -> Outcome:
        """Return when everything that the batch implies for the module is durable.

        Doing it again, here or elsewhere, wholly or after a failure, leads to the same documents.

        Raises:
            BudgetSpentError: Time ran out; the same batch must be projected again.
            CosmosError: Retrying cannot help before something is corrected.
        """
        key = (module.name, tuple((str(d.get("streamId")), str(d.get("id"))) for d in documents))
        durable = self.acknowledged.recall(key)
        outcome = Outcome(events=len(documents))
        try:
            derived = derive(module, documents, max_hops=self.max_hops)
            while chunk := list(islice(derived, _CHUNK)):
                await self._settle(chunk, durable, budget, outcome)
        except BaseException:
            self.acknowledged.keep(key, durable)
            raise
        return outcome

    async def _settle(
        self,
        chunk: list[Write | Poison],
        durable: set[tuple[str, str]],
        budget: Budget,
        outcome: Outcome,
    ) -> None:
        writes = [each for each in chunk if isinstance(each, Write)]
        poison = [each for each in chunk if isinstance(each, Poison)]
        missing = [each for each in writes if (each.stream_id, each.id) not in durable]

        def note(batch: Batch) -> None:
            durable.update((write.stream_id, write.id) for write in batch.writes)

        await self.writer.write(
            plan(missing), budget=budget, effort=outcome.effort, on_durable=note
        )
        await self.dead_letters.park(poison, budget)
        for each in poison:
            _log_parked(each)
        outcome.derived += len(writes)
        outcome.spared += len(writes) - len(missing)
        outcome.parked += len(poison)


def _log_parked(poison: Poison) -> None:
    logger.error(
        "event.parked projection=%s stream=%s event=%s error=%s",
        poison.projection or poison.module,
        poison.stream_id,
        poison.event_id,
        poison.error_type,
    )
