"""What happens to a batch of the change feed: derive, plan, write; return when all is durable."""

from __future__ import annotations

import hashlib
import logging
from collections import OrderedDict
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any

from core.batching import Batch, plan
from core.derivation import Poison, Write, derive
from core.errors import BlockedError
from core.retrying import Effort
from core.sequences import Sequences

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


@dataclass(kw_only=True)
class Progress:
    """What of a batch is durable: whole chunks by their digests, and single derived events.

    Digests keep it small whatever the fan-out, and a chunk that comes out otherwise the next
    time is not taken for one that is done.
    """

    chunks: set[bytes] = field(default_factory=set)
    single: set[tuple[str, str]] = field(default_factory=set)

    def missing(self, writes: list[Write]) -> list[Write]:
        """Those of a chunk that are not known to be durable."""
        if self.chunks and _digest(writes) in self.chunks:
            return []
        return [each for each in writes if (each.stream_id, each.id) not in self.single]

    def note(self, batch: Batch) -> None:
        """A batch is durable."""
        self.single.update((write.stream_id, write.id) for write in batch.writes)

    def note_chunk(self, writes: list[Write]) -> None:
        """A whole chunk is durable."""
        self.chunks.add(_digest(writes))
        self.single.difference_update((write.stream_id, write.id) for write in writes)


class Acknowledged:
    """What was already durable when a batch failed, so that its retry does not send it again.

    A document that is written again, even unchanged, appears again in the change feed.
    """

    def __init__(self) -> None:
        self._batches: OrderedDict[object, Progress] = OrderedDict()

    def recall(self, batch: object) -> Progress:
        """What is remembered of this batch; it is forgotten here."""
        return self._batches.pop(batch, None) or Progress()

    def keep(self, batch: object, progress: Progress) -> None:
        """Remember for the retry; the oldest unfinished batches are forgotten first."""
        self._batches[batch] = progress
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
        blocked: Events that the line waits for.
        effort: What the writing took.
    """

    events: int
    derived: int = 0
    spared: int = 0
    parked: int = 0
    blocked: list[Poison] = field(default_factory=list)
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
            BlockedError: An event fails in a projection that stops the line; all others are done.
            BudgetSpentError: Time ran out; the same batch must be projected again.
            CosmosError: Retrying cannot help before something is corrected.
        """
        key = (module.name, tuple((str(d.get("streamId")), str(d.get("id"))) for d in documents))
        progress = self.acknowledged.recall(key)
        outcome = Outcome(events=len(documents))
        try:
            sequences = await self._sequences(module)
            derived = derive(module, documents, max_hops=self.max_hops, sequences=sequences)
            while chunk := list(islice(derived, _CHUNK)):
                await self._settle(chunk, progress, budget, outcome)
            await self._check_line(module, documents, outcome, budget)
        except BaseException:
            self.acknowledged.keep(key, progress)
            raise
        return outcome

    async def _sequences(self, module: ProjectionModule) -> Sequences:
        """The streams that wait behind a dead letter; only asked for where it matters."""
        if not module.keeps_order:
            return Sequences()
        letters = await self.dead_letters.find(module.name)
        return Sequences((each.projection, each.stream_id, each.order) for each in letters)

    async def _settle(
        self, chunk: list[Write | Poison], progress: Progress, budget: Budget, outcome: Outcome
    ) -> None:
        writes = [each for each in chunk if isinstance(each, Write)]
        missing = progress.missing(writes)
        outcome.spared += len(writes) - len(missing)
        await self.writer.write(
            plan(missing), budget=budget, effort=outcome.effort, on_durable=progress.note
        )
        progress.note_chunk(writes)
        outcome.derived += len(writes)
        poison = [each for each in chunk if isinstance(each, Poison)]
        await self._settle_poison(poison, budget, outcome)

    async def _settle_poison(self, poison: list[Poison], budget: Budget, outcome: Outcome) -> None:
        parked = [each for each in poison if not await self._blocks(each, budget)]
        await self.dead_letters.park(parked, budget)
        for each in parked:
            _log_parked(each)
        outcome.blocked += [each for each in poison if each not in parked]
        outcome.parked += len(parked)

    async def _blocks(self, poison: Poison, budget: Budget) -> bool:
        return poison.blocks and await self.dead_letters.block(poison, budget)

    async def _check_line(
        self,
        module: ProjectionModule,
        documents: Sequence[Mapping[str, Any]],
        outcome: Outcome,
        budget: Budget,
    ) -> None:
        """Stop the line where an event blocks it; otherwise forget those that did before."""
        for each in outcome.blocked[:1]:
            raise BlockedError(
                f"Projection {each.projection or each.module} cannot project event "
                f"{each.event_id} ({each.error_type}), and its line waits. Mend it, or discard "
                "its dead letter."
            )
        if not module.can_block:
            return
        done = [(each.get("streamId"), each.get("id")) for each in documents]
        for letter in await self.dead_letters.blocking(module.name):
            if (letter.stream_id, letter.event_id) in done:
                await self.dead_letters.remove(letter, budget)


def _digest(writes: list[Write]) -> bytes:
    digest = hashlib.blake2b(digest_size=16)
    for write in writes:
        digest.update(f"{write.stream_id}\0{write.id}\0".encode())
    return digest.digest()


def _log_parked(poison: Poison) -> None:
    logger.error(
        "event.parked projection=%s stream=%s event=%s error=%s",
        poison.projection or poison.module,
        poison.stream_id,
        poison.event_id,
        poison.error_type,
    )
