"""The container of dead letters: events that wait for somebody, so that the rest goes on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from core.cosmos.client import listed
from core.errors import ConfigurationError, ConflictError, NotFoundError, UnknownNameError
from core.rules.letters import DeadLetter

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from azure.cosmos.aio import ContainerProxy

    from core.budget import Budget
    from core.cosmos.retrying import Retrier
    from core.errors import CosmosError
    from core.rules.outputs import Poison

_PARTITION = "dead letters"


@dataclass(frozen=True, kw_only=True)
class DeadLetters:
    """The container, partitioned by projection module.

    Attributes:
        container: The dead letters' container.
        retrier: Tries again.
    """

    container: ContainerProxy
    retrier: Retrier

    async def park(self, poison: Sequence[Poison], budget: Budget) -> None:
        """Return when every one is durable; parking one again keeps the first.

        Raises:
            BudgetSpentError: Time ran out.
            CosmosError: Retrying cannot help.
        """
        now = datetime.now(timezone.utc)
        for each in poison:
            await self._create(DeadLetter.of(each, now), budget)

    async def block(self, poison: Poison, budget: Budget) -> bool:
        """Note durably that an event stops its line; False if its letter was discarded.

        Raises:
            BudgetSpentError: Time ran out.
            CosmosError: Retrying cannot help.
        """
        now = datetime.now(timezone.utc)
        letter = DeadLetter.of(poison, now)
        found = await self._query("SELECT * FROM c WHERE c.id = @id", {"@id": letter.id})
        if found and found[0].discarded is not None:
            return False
        if found:
            letter = replace(
                found[0].failed_again(poison.error_type, poison.reason, poison.traceback, now),
                blocking=True,
            )
        await self.replace(letter, budget)
        return True

    async def blocking(self, module: str | None = None) -> list[DeadLetter]:
        """The letters that a line waits for, of one module or of all.

        Raises:
            CosmosError: They cannot be read.
        """
        found = await self._query("SELECT * FROM c WHERE c.blocking = @yes", {"@yes": True})
        return [each for each in found if module in (None, each.module)]

    async def find(self, name: str | None, *, discarded: bool = False) -> list[DeadLetter]:
        """The letters of a projection or a module (None: all), in the order to replay them in.

        Args:
            name: Of a projection, or of a module.
            discarded: Those that were discarded, instead of those that wait.

        Raises:
            CosmosError: They cannot be read.
        """
        found = await self._query("SELECT * FROM c", {})
        wanted = [
            each
            for each in found
            if each.concerns(name) and (each.discarded is not None) == discarded
        ]
        return sorted(wanted, key=lambda each: (each.first, each.order))

    async def get(self, letter_id: str) -> DeadLetter:
        """One letter.

        Raises:
            UnknownNameError: There is none of this id.
            CosmosError: It cannot be read.
        """
        found = await self._query("SELECT * FROM c WHERE c.id = @id", {"@id": letter_id})
        if not found:
            raise UnknownNameError(f"There is no dead letter {letter_id!r:.100}.")
        return found[0]

    async def of_event(self, module: str, stream_id: str, event_id: str) -> list[DeadLetter]:
        """The letters of one event in one module.

        Raises:
            CosmosError: They cannot be read.
        """
        return await self._query(
            "SELECT * FROM c WHERE c.module = @module AND c.streamId = @stream "
            "AND c.eventId = @event",
            {"@module": module, "@stream": stream_id, "@event": event_id},
        )

    async def replace(self, letter: DeadLetter, budget: Budget) -> None:
        """Store a letter in place of what is there of it.

        Raises:
            BudgetSpentError: Time ran out.
            CosmosError: Retrying cannot help.
        """
        await self._write(
            f"changing dead letter {letter.id}",
            lambda: self.container.upsert_item(letter.document()),
            budget,
        )

    async def remove(self, letter: DeadLetter, budget: Budget) -> None:
        """Remove a letter; harmless if it is gone.

        Raises:
            BudgetSpentError: Time ran out.
            CosmosError: Retrying cannot help.
        """
        try:
            await self._write(
                f"removing dead letter {letter.id}",
                lambda: self.container.delete_item(letter.id, letter.module),
                budget,
                absent=NotFoundError,
            )
        except NotFoundError:
            return

    async def _create(self, letter: DeadLetter, budget: Budget) -> None:
        try:
            await self._write(
                f"parking event {letter.event_id}",
                lambda: self.container.create_item(letter.document()),
                budget,
            )
        except ConflictError:
            return

    async def _write(
        self,
        doing: str,
        request: Callable[[], Awaitable[Any]],
        budget: Budget,
        absent: type[CosmosError] = ConfigurationError,
    ) -> None:
        await self.retrier.request(
            doing, request, partition=_PARTITION, budget=budget, absent=absent
        )

    async def _query(self, text: str, parameters: dict[str, object]) -> list[DeadLetter]:
        items = self.container.query_items(
            text, parameters=[{"name": name, "value": each} for name, each in parameters.items()]
        )
        return [DeadLetter.read(item) for item in await listed("reading dead letters", items)]
