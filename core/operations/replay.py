"""Replays dead letters: the projection runs again, with the current code."""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from pydantic import Field

from core.camel_model import CamelModel
from core.dead_letters.dead_letter import letter_id
from core.dead_letters.poison import ProjectionFailure
from core.projecting.batch_run import BatchRun
from core.projecting.derivation import derive
from core.throttling.stats import RequestStats

if TYPE_CHECKING:
    from collections.abc import Mapping

    from core.dead_letters.dead_letter import DeadLetter
    from core.dead_letters.poison import PoisonEvent
    from core.dead_letters.store import DeadLetterStore
    from core.model.registry import ProjectionModule
    from core.projecting.processor import BatchProcessor
    from core.streams.reader import StreamReader
    from core.throttling.deadline import Deadline


class ReplayResult(CamelModel):
    """The result of a replay."""

    id: str
    """The id of the dead letter."""

    replayed: bool
    """Whether it succeeded, so that the dead letter is removed."""

    derived: int = 0
    """The number of derived events that are durable."""

    reason: str | None = None
    """Why the dead letter is kept, null if it is not."""

    preceding: str | None = Field(default=None, exclude=True)
    """The id of the dead letter that must be replayed first, null if there is none."""


@dataclass(frozen=True, kw_only=True)
class Replayer:
    """Runs projections again on the events of dead letters.

    Attributes:
        modules: The projection modules by name.
        reader: The reader of the events.
        processor: What makes derived events durable.
        dead_letters: The store of the dead letters.
    """

    modules: Mapping[str, ProjectionModule]
    reader: StreamReader
    processor: BatchProcessor
    dead_letters: DeadLetterStore

    async def replay(self, dead_letter: DeadLetter, deadline: Deadline) -> ReplayResult:
        """Project the event of a dead letter, and remove the dead letter on success.

        Derived ids are those of the first attempt, so replaying twice, or while the trigger
        projects the same event, leads to the same documents. A dead letter that fails again is kept
        with its new reason. One that must wait for an earlier event of its stream is not changed.
        Nor is one that somebody discards meanwhile.

        Raises:
            DeadlineExceededError: If the deadline is reached. The dead letter is not changed.
            CosmosError: If Cosmos DB returns an error that is not retryable.
        """
        module = self._module(dead_letter)
        preceding = await self._preceding(dead_letter, module, deadline)
        if preceding is not None:
            reason = f"Dead letter {preceding} must be replayed first."
            return ReplayResult(
                id=dead_letter.id, replayed=False, reason=reason, preceding=preceding
            )
        event = await self._event(dead_letter, deadline)
        if event is None:
            failure = ProjectionFailure("SourceEventNotFound", "The event does not exist.")
            return await self._keep(dead_letter, failure, deadline)
        if module is None:
            name = dead_letter.projection or dead_letter.module
            failure = ProjectionFailure(
                "ProjectionNotFound", f"The projection {name} does not exist."
            )
            return await self._keep(dead_letter, failure, deadline)
        run = BatchRun(module, derive(module, [event]), limits=self.processor.limits)
        own = await self._complete(run, dead_letter, deadline)
        if own is not None:
            return await self._keep(dead_letter, own.failure, deadline)
        await self.dead_letters.remove(dead_letter, deadline)
        return ReplayResult(id=dead_letter.id, replayed=True, derived=run.written)

    async def _complete(
        self, run: BatchRun, dead_letter: DeadLetter, deadline: Deadline
    ) -> PoisonEvent | None:
        """Return the dead letter's own failure, if it fails again, and park all others.

        Another projection may fail on an event that no projection could read before. Its dead
        letter keeps the place of this one.
        """
        async with aclosing(self.processor.complete(run, deadline, RequestStats())) as chunks:
            poison_events = [one async for chunk in chunks for one in chunk]
        others = [
            replace(one, cause=one.cause._replace(stream_order=dead_letter.stream_order))
            for one in poison_events
            if letter_id(one) != dead_letter.id
        ]
        await self.dead_letters.park(others, deadline)
        return next((one for one in poison_events if letter_id(one) == dead_letter.id), None)

    async def _keep(
        self, dead_letter: DeadLetter, failure: ProjectionFailure, deadline: Deadline
    ) -> ReplayResult:
        await self.dead_letters.record_failure(dead_letter, failure, deadline)
        return ReplayResult(id=dead_letter.id, replayed=False, reason=failure.reason)

    async def _preceding(
        self, dead_letter: DeadLetter, module: ProjectionModule | None, deadline: Deadline
    ) -> str | None:
        """Return the id of the dead letter that must go first, if its projection parks streams."""
        if module is None or not module.parks_streams:
            return None
        first = await self.dead_letters.first_of_stream(
            module.name, module.stream_parking_projections, dead_letter.stream_id, deadline
        )
        is_earlier = first is not None and first.stream_order < dead_letter.stream_order
        return first.id if first is not None and is_earlier else None

    async def _event(self, dead_letter: DeadLetter, deadline: Deadline) -> Mapping[str, Any] | None:
        stream_id, event_id = dead_letter.stream_id, dead_letter.event_id
        if not isinstance(stream_id, str) or not isinstance(event_id, str):
            return None
        if dead_letter.cut.keys() & {"streamId", "eventId"}:
            return None
        return await self.reader.get(stream_id, event_id, deadline)

    def _module(self, dead_letter: DeadLetter) -> ProjectionModule | None:
        """Return the module with the dead letter's projection, or whole if it has none."""
        module = self.modules.get(dead_letter.module)
        chosen = module.restricted_to(dead_letter.projection) if module else None
        return chosen if chosen and chosen.projections else None
