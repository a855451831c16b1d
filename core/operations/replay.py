"""Replaying dead letters: the projection runs again, with today's code."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from core.dead_letters.dead_letter import DeadLetter
from core.projecting.batch_run import BatchRunner, Run
from core.projecting.derivation import derive
from core.throttling.stats import RequestStats

if TYPE_CHECKING:
    from collections.abc import Mapping

    from core.dead_letters.poison import PoisonEvent
    from core.dead_letters.store import DeadLetterStore
    from core.model.registry import ProjectionModule
    from core.streams.event_store import EventStore
    from core.throttling.deadline import Deadline


@dataclass(frozen=True, kw_only=True)
class ReplayResult:
    """What became of a letter: gone with so many events derived, or kept for a reason."""

    letter: DeadLetter
    derived: int = 0
    kept: str | None = None

    def as_json(self) -> dict[str, Any]:
        """By name."""
        return {
            "id": self.letter.id,
            "replayed": self.kept is None,
            "derived": self.derived,
            "reason": self.kept,
        }


@dataclass(frozen=True, kw_only=True)
class Replayer:
    """Runs projections again over the events of dead letters.

    Attributes:
        modules: Projection modules by name.
        streams: Where the events are.
        runner: Makes derived events durable.
        dead_letters: Where the letters are.
        max_hops: Limit on projections between an event and its command.
    """

    modules: Mapping[str, ProjectionModule]
    streams: EventStore
    runner: BatchRunner
    dead_letters: DeadLetterStore
    max_hops: int

    async def replay(self, letter: DeadLetter, deadline: Deadline) -> ReplayResult:
        """Project the letter's event; the letter goes when all that it implies is durable.

        Derived ids are those of the first attempt, so replaying twice, or while the trigger
        projects the same event, leads to the same documents. A letter that fails again is kept,
        with the new reason; one behind another letter of its sequence is left as it is.

        Raises:
            DeadlineExceededError: Time ran out; the letter is as it was.
            CosmosError: Retrying cannot help.
        """
        ahead = await self._ahead(letter, deadline)
        if ahead is not None:
            return ReplayResult(letter=letter, kept=f"Dead letter {ahead.id} is ahead of it.")
        event = await self._event(letter, deadline)
        if event is None:
            return await self._keep(
                letter, "SourceVanished", "The event is not there.", "", deadline
            )
        module = self._module(letter)
        if module is None:
            reason = f"There is no projection {letter.name} any more."
            return await self._keep(letter, "ProjectionVanished", reason, "", deadline)
        run = Run(derive(module, [event], max_hops=self.max_hops))
        failed = await self._carry_on(run, letter, deadline)
        if failed is not None:
            return await self._keep(
                letter, failed.error_type, failed.reason, failed.traceback, deadline
            )
        await self.dead_letters.remove(letter, deadline)
        return ReplayResult(letter=letter, derived=run.durable)

    async def _carry_on(
        self, run: Run, letter: DeadLetter, deadline: Deadline
    ) -> PoisonEvent | None:
        """The letter's own failure, if it fails again; others that fail get letters of theirs."""
        own: list[PoisonEvent] = []

        async def settle(poison: list[PoisonEvent]) -> None:
            now = datetime.now(timezone.utc)
            own.extend(
                each for each in poison if DeadLetter.from_poison_event(each, now).id == letter.id
            )
            others = [replace(each, order=letter.order) for each in poison if each not in own]
            await self.dead_letters.park(others, deadline)

        await self.runner.carry_on(run, deadline, RequestStats(), settle)
        await self.runner.finish(run, deadline)
        return own[0] if own else None

    async def _keep(
        self, letter: DeadLetter, error_type: str, reason: str, traceback: str, deadline: Deadline
    ) -> ReplayResult:
        now = datetime.now(timezone.utc)
        failed = letter.failed_again(error_type, reason, traceback, now)
        await self.dead_letters.replace(failed, deadline)
        return ReplayResult(letter=failed, kept=reason)

    async def _ahead(self, letter: DeadLetter, deadline: Deadline) -> DeadLetter | None:
        """A letter that must go first, where its projection keeps the order of a stream."""
        module = self._module(letter)
        if module is None or not module.parks_streams:
            return None
        waiting = await self.dead_letters.search(letter.module, deadline)
        ahead = (each for each in waiting if letter.is_preceded_by(each))
        return next(
            (each for each in ahead if module.restricted_to(each.projection).parks_streams), None
        )

    async def _event(self, letter: DeadLetter, deadline: Deadline) -> Mapping[str, Any] | None:
        if not isinstance(letter.stream_id, str) or not isinstance(letter.event_id, str):
            return None
        return await self.streams.get(letter.stream_id, letter.event_id, deadline)

    def _module(self, letter: DeadLetter) -> ProjectionModule | None:
        """The letter's projection alone, or its whole module where the event was unreadable."""
        module = self.modules.get(letter.module)
        chosen = module.restricted_to(letter.projection) if module else None
        return chosen if chosen and chosen.projections else None
