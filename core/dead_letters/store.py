"""The store of dead letters: a container that is partitioned by projection module."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from core.dead_letters.dead_letter import DeadLetter
from core.errors import UnknownResourceError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from core.cosmos.container import Container
    from core.dead_letters.poison import PoisonEvent
    from core.throttling.deadline import Deadline


@dataclass(frozen=True, kw_only=True)
class DeadLetterStore:
    """Reads and writes dead letters.

    Every method raises DeadlineExceededError if the deadline is reached, and CosmosError if Cosmos
    DB returns an error that is not retryable.

    Attributes:
        container: The container of dead letters.
    """

    container: Container

    async def park(self, poison_events: Iterable[PoisonEvent], deadline: Deadline) -> None:
        """Store a dead letter for each poison event that has none."""
        now = datetime.now(timezone.utc)
        for poison_event in poison_events:
            dead_letter = DeadLetter.from_poison_event(poison_event, now)
            action = f"parking event {dead_letter.event_id}"
            await self.container.create(action, dead_letter.to_document(), deadline)

    async def record_block(self, poison_event: PoisonEvent, deadline: Deadline) -> bool:
        """Store that an event blocks its lease, or return False if its dead letter is discarded."""
        now = datetime.now(timezone.utc)
        dead_letter = DeadLetter.from_poison_event(poison_event, now)
        stored = await self._query(
            "c.id = @id", {"@id": dead_letter.id}, deadline, dead_letter.module
        )
        if stored and stored[0].discard_reason is not None:
            return False
        if stored:
            failure = (poison_event.error_type, poison_event.reason, poison_event.traceback)
            dead_letter = replace(stored[0].failed_again(*failure, now), blocking=True)
        await self.replace(dead_letter, deadline)
        return True

    async def unblock(
        self, module: str, events: Collection[tuple[object, object]], deadline: Deadline
    ) -> None:
        """Remove the dead letters of these events (stream and id) that block the module's lease."""
        for dead_letter in await self.blocking(module, deadline):
            if (dead_letter.stream_id, dead_letter.event_id) in events:
                await self.remove(dead_letter, deadline)

    async def blocking(self, module: str | None, deadline: Deadline) -> list[DeadLetter]:
        """Return the dead letters that block a lease, of one module or of all."""
        return await self._query("c.blocking = true", {}, deadline, module)

    async def parked_positions(
        self, module: str, deadline: Deadline
    ) -> list[tuple[str | None, Any, str]]:
        """Return projection, stream and feed order of each dead letter that is not discarded."""
        text = "SELECT c.projection, c.streamId, c.feedOrder FROM c WHERE IS_NULL(c.discardReason)"
        rows = await self.container.query(_READING, text, {}, deadline, partition_key=module)
        return [(row["projection"], row["streamId"], row["feedOrder"]) for row in rows]

    async def search(
        self, name: str | None, deadline: Deadline, *, discarded: bool = False
    ) -> list[DeadLetter]:
        """Return dead letters in the order in which they are replayed.

        Args:
            name: A projection or a module; None for all.
            deadline: The time by which they must be read.
            discarded: Return those that are discarded instead of the others.
        """
        condition = "NOT IS_NULL(c.discardReason)" if discarded else "IS_NULL(c.discardReason)"
        dead_letters = await self._query(condition, {}, deadline)
        matching = [dead_letter for dead_letter in dead_letters if dead_letter.matches(name)]
        return sorted(
            matching, key=lambda dead_letter: (dead_letter.first_failed_at, dead_letter.feed_order)
        )

    async def get(self, dead_letter_id: str, deadline: Deadline) -> DeadLetter:
        """Return a dead letter.

        Raises:
            UnknownResourceError: If it does not exist.
        """
        stored = await self._query("c.id = @id", {"@id": dead_letter_id}, deadline)
        if not stored:
            raise UnknownResourceError(f"There is no dead letter {dead_letter_id!r:.100}.")
        return stored[0]

    async def for_event(
        self, module: str, stream_id: str, event_id: str, deadline: Deadline
    ) -> list[DeadLetter]:
        """Return the dead letters of an event in a module."""
        condition = "c.streamId = @stream AND c.eventId = @event"
        parameters = {"@stream": stream_id, "@event": event_id}
        return await self._query(condition, parameters, deadline, module)

    async def replace(self, dead_letter: DeadLetter, deadline: Deadline) -> None:
        """Store a dead letter in place of the one with its id, if there is one."""
        action = f"changing dead letter {dead_letter.id}"
        await self.container.upsert(action, dead_letter.to_document(), deadline)

    async def remove(self, dead_letter: DeadLetter, deadline: Deadline) -> None:
        """Remove a dead letter if it exists."""
        action = f"removing dead letter {dead_letter.id}"
        await self.container.delete(action, dead_letter.id, dead_letter.module, deadline)

    async def _query(
        self,
        condition: str,
        parameters: Mapping[str, object],
        deadline: Deadline,
        module: str | None = None,
    ) -> list[DeadLetter]:
        text = f"SELECT * FROM c WHERE {condition}"  # noqa: S608 - of constants, see the callers
        documents = await self.container.query(
            _READING, text, parameters, deadline, partition_key=module
        )
        return [DeadLetter.from_document(document) for document in documents]


_READING = "reading dead letters"
