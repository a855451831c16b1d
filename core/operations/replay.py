"""Replays dead letters: the projection runs again, with the current code."""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, NamedTuple

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


@dataclass(frozen=True, kw_only=True)
class ReplayResult:
    """The result of a replay.

    Attributes:
        dead_letter: The dead letter; it is removed if the replay succeeded.
        derived: The number of derived events that are durable.
        failure: Why the dead letter is kept, None if it is not.
    """

    dead_letter: DeadLetter
    derived: int = 0
    failure: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return what is shown of it."""
        return {
            "id": self.dead_letter.id,
            "replayed": self.failure is None,
            "derived": self.derived,
            "reason": self.failure,
        }


class _Failure(NamedTuple):
    """Why a replay failed."""

    error_type: str
    reason: str
    traceback: str = ""


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

        Raises:
            DeadlineExceededError: If the deadline is reached. The dead letter is not changed.
            CosmosError: If Cosmos DB returns an error that is not retryable.
        """
        preceding = await self._preceding(dead_letter, deadline)
        if preceding is not None:
            failure = f"Dead letter {preceding.id} must be replayed first."
            return ReplayResult(dead_letter=dead_letter, failure=failure)
        event = await self._event(dead_letter, deadline)
        module = self._module(dead_letter)
        if event is None:
            failed = _Failure("SourceEventNotFound", "The event does not exist.")
            return await self._keep(dead_letter, failed, deadline)
        if module is None:
            name = dead_letter.projection or dead_letter.module
            failed = _Failure("ProjectionNotFound", f"The projection {name} does not exist.")
            return await self._keep(dead_letter, failed, deadline)
        run = BatchRun(module, derive(module, [event]), limits=self.processor.limits)
        own = await self._complete(run, dead_letter, deadline)
        if own is not None:
            failed = _Failure(own.error_type, own.reason, own.traceback)
            return await self._keep(dead_letter, failed, deadline)
        await self.dead_letters.remove(dead_letter, deadline)
        return ReplayResult(dead_letter=dead_letter, derived=run.written)

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
            replace(one, cause=one.cause._replace(feed_order=dead_letter.feed_order))
            for one in poison_events
            if not dead_letter.is_about(one)
        ]
        await self.dead_letters.park(others, deadline)
        return next((one for one in poison_events if dead_letter.is_about(one)), None)

    async def _keep(
        self, dead_letter: DeadLetter, failure: _Failure, deadline: Deadline
    ) -> ReplayResult:
        failed = dead_letter.failed_again(*failure, now=datetime.now(timezone.utc))
        await self.dead_letters.replace(failed, deadline)
        return ReplayResult(dead_letter=failed, failure=failure.reason)

    async def _preceding(self, dead_letter: DeadLetter, deadline: Deadline) -> DeadLetter | None:
        """Return a dead letter that must go first, if its projection parks streams."""
        module = self._module(dead_letter)
        if module is None or not module.parks_streams:
            return None
        for other in await self.dead_letters.search(dead_letter.module, deadline):
            if (
                dead_letter.is_preceded_by(other)
                and module.restricted_to(other.projection).parks_streams
            ):
                return other
        return None

    async def _event(self, dead_letter: DeadLetter, deadline: Deadline) -> Mapping[str, Any] | None:
        stream_id, event_id = dead_letter.stream_id, dead_letter.event_id
        if not isinstance(stream_id, str) or not isinstance(event_id, str):
            return None
        return await self.reader.get(stream_id, event_id, deadline)

    def _module(self, dead_letter: DeadLetter) -> ProjectionModule | None:
        """Return the module with the dead letter's projection, or whole if it has none."""
        module = self.modules.get(dead_letter.module)
        chosen = module.restricted_to(dead_letter.projection) if module else None
        return chosen if chosen and chosen.projections else None
