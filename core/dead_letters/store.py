"""The store of dead letters: a container in which each is a logical partition of its own."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from core.cosmos.clock import host_time
from core.dead_letters.dead_letter import DeadLetter, letter_id
from core.dead_letters.reader import DeadLetterReader, unknown_dead_letter
from core.errors import TransientError
from core.ids import dead_letter_id

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable
    from datetime import datetime

    from core.dead_letters.poison import PoisonEvent, ProjectionFailure
    from core.model.registry import ProjectionModule
    from core.throttling.deadline import Deadline

_MAX_CONFLICTS = 20
"""The changes by others after which a change is given up."""

_CHECK_INTERVAL_SECONDS = 60.0
"""The seconds between two searches for dead letters that block a module though it cannot block."""


@dataclass(frozen=True, kw_only=True)
class DeadLetterStore(DeadLetterReader):
    """Reads and changes dead letters.

    Every change is made to the version that was read, or it is decided again: so a change that
    somebody was told of is never undone by another one that read before it.

    Every method raises DeadlineExceededError if the deadline is reached, and CosmosError if Cosmos
    DB returns an error that is not retryable.

    Attributes:
        now: The function that returns the time.
        checked_at: The times at which modules that cannot block were looked at, by module.
    """

    now: Callable[[], datetime] = host_time
    checked_at: dict[str, float] = field(default_factory=dict)

    async def park(
        self, poison_events: Iterable[PoisonEvent], deadline: Deadline
    ) -> list[PoisonEvent]:
        """Store a dead letter for each poison event that has none.

        Returns:
            The events that are parked. The others are discarded.
        """
        parked = []
        for poison_event in poison_events:
            dead_letter = DeadLetter.from_poison_event(poison_event, self.now()).stop_blocking()
            if not await self._create(dead_letter, deadline):
                stored = await self._change(dead_letter.id, DeadLetter.stop_blocking, deadline)
                if stored is not None and stored.state == "discarded":
                    continue
            parked.append(poison_event)
        return parked

    async def record_block(self, poison_event: PoisonEvent, deadline: Deadline) -> bool:
        """Store that an event blocks its lease, or return False if its dead letter is discarded.

        If the dead letter is removed meanwhile, the next delivery of the event stores it again.
        """
        now = self.now()
        stored = await self._change(
            letter_id(poison_event),
            lambda dead_letter: dead_letter.block(poison_event.failure, now),
            deadline,
        )
        if stored is None:
            await self._create(DeadLetter.from_poison_event(poison_event, now), deadline)
        return stored is None or stored.state != "discarded"

    async def unblock(
        self,
        module: ProjectionModule,
        events: Collection[tuple[object, object]],
        deadline: Deadline,
    ) -> None:
        """Remove the dead letters of these events (stream and id) that block the module's lease.

        Those of projections that do not block any more wait for a replay from now on.
        """
        now = time.monotonic()
        is_checked = now < self.checked_at.get(module.name, -1.0) + _CHECK_INTERVAL_SECONDS
        if is_checked and not module.can_block:
            return
        async for dead_letter in self.blocking_of(module.name, deadline):
            if _is_of_one(dead_letter, events):
                await self.remove(dead_letter, deadline)
            elif not _may_block(module, dead_letter.projection):
                await self._change(dead_letter.id, DeadLetter.stop_blocking, deadline)
        self.checked_at[module.name] = now

    async def record_failure(
        self, dead_letter: DeadLetter, failure: ProjectionFailure, deadline: Deadline
    ) -> DeadLetter:
        """Store that a replay failed, unless the dead letter is discarded or removed by now."""
        now = self.now()
        stored = await self._change(
            dead_letter.id, lambda current: current.fail_again(failure, now), deadline
        )
        return stored or dead_letter

    async def discard(self, dead_letter_id: str, reason: str, deadline: Deadline) -> DeadLetter:
        """Discard a dead letter for a reason.

        Raises:
            UnknownResourceError: If it does not exist.
        """
        discard = partial(DeadLetter.discard, reason=reason)
        stored = await self._change(dead_letter_id, discard, deadline)
        if stored is None or stored.state != "discarded":
            raise unknown_dead_letter(dead_letter_id)
        return stored

    async def remove(self, dead_letter: DeadLetter, deadline: Deadline) -> None:
        """Remove a dead letter, unless it has been discarded since it was read."""
        action = f"removing dead letter {dead_letter.id}"
        etag = dead_letter.etag
        for _ in range(_MAX_CONFLICTS):
            if await self.container.delete_version(action, dead_letter.id, etag, deadline):
                return
            stored = await self._read(dead_letter.id, deadline)
            if stored is None or stored.state == "discarded":
                return
            etag = stored.etag
        raise _changed_by_others(dead_letter.id)

    async def _create(self, dead_letter: DeadLetter, deadline: Deadline) -> bool:
        action = f"storing dead letter {dead_letter.id}"
        return await self.container.create(action, dead_letter.to_document(), deadline)

    async def _change(
        self, dead_letter_id: str, change: Callable[[DeadLetter], DeadLetter], deadline: Deadline
    ) -> DeadLetter | None:
        """Change what is stored, and return what is stored then; None if nothing was.

        A dead letter that is removed meanwhile is not stored again; it is returned as it was.
        """
        seen: DeadLetter | None = None
        sent: DeadLetter | None = None
        action = f"changing dead letter {dead_letter_id}"
        for _ in range(_MAX_CONFLICTS):
            stored = await self._read(dead_letter_id, deadline)
            if stored is None:
                return seen
            if sent is not None and stored.to_document() == sent.to_document():
                return stored  # the reply to the last attempt was lost
            seen, sent = stored, change(stored)
            if sent == stored:
                return stored
            if await self.container.replace(action, sent.to_document(), stored.etag, deadline):
                return sent
        raise _changed_by_others(dead_letter_id)


def _may_block(module: ProjectionModule, projection: str | None) -> bool:
    return module.can_block if projection is None else module.blocks(projection)


def _is_of_one(dead_letter: DeadLetter, events: Iterable[tuple[object, object]]) -> bool:
    """Return whether it is the dead letter of one of these events (stream and id)."""
    module, projection = dead_letter.module, dead_letter.projection
    return any(
        dead_letter.id
        == dead_letter_id(
            module=module, projection=projection, source_stream=stream_id, source_id=event_id
        )
        for stream_id, event_id in events
    )


def _changed_by_others(dead_letter_id: str) -> TransientError:
    return TransientError(f"Dead letter {dead_letter_id} is changed by others all the time. Retry.")
