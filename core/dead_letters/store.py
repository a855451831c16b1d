"""The container of dead letters: events that wait for somebody, so that the rest goes on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from core.cosmos.requests import QUERY_TIMEOUT_SECONDS, fetch_all
from core.cosmos.retrying import RequestStats
from core.dead_letters.dead_letter import DeadLetter
from core.errors import ConfigurationError, ConflictError, NotFoundError, UnknownResourceError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from azure.cosmos.aio import ContainerProxy

    from core.cosmos.retrying import Passage, Retrier
    from core.dead_letters.poison import PoisonEvent
    from core.errors import CosmosError
    from core.throttling.deadline import Deadline

_PARTITION = "dead letters"


@dataclass(frozen=True, kw_only=True)
class DeadLetterStore:
    """The container, partitioned by projection module.

    Attributes:
        container: The dead letters' container.
        retrier: Tries again.
    """

    container: ContainerProxy
    retrier: Retrier

    async def park(self, poison: Sequence[PoisonEvent], deadline: Deadline) -> None:
        """Return when every one is durable; parking one again keeps the first.

        Raises:
            DeadlineExceededError: Time ran out.
            CosmosError: Retrying cannot help.
        """
        now = datetime.now(timezone.utc)
        for each in poison:
            await self._create(DeadLetter.from_poison_event(each, now), deadline)

    async def block(self, poison: PoisonEvent, deadline: Deadline) -> bool:
        """Note durably that an event stops its line; False if its letter was discarded.

        Raises:
            DeadlineExceededError: Time ran out.
            CosmosError: Retrying cannot help.
        """
        now = datetime.now(timezone.utc)
        letter = DeadLetter.from_poison_event(poison, now)
        found = await self._query("c.id = @id", {"@id": letter.id}, deadline, letter.module)
        if found and found[0].discarded is not None:
            return False
        if found:
            letter = replace(
                found[0].failed_again(poison.error_type, poison.reason, poison.traceback, now),
                blocking=True,
            )
        await self.replace(letter, deadline)
        return True

    async def blocking(self, module: str | None, deadline: Deadline) -> list[DeadLetter]:
        """The letters that a line waits for, of one module or of all.

        Raises:
            DeadlineExceededError: Time ran out.
            CosmosError: They cannot be read.
        """
        return await self._query("c.blocking = true", {}, deadline, module)

    async def waiting(self, module: str, deadline: Deadline) -> list[tuple[str | None, Any, str]]:
        """Projection, stream and order of each letter of a module that was not discarded.

        Raises:
            DeadlineExceededError: Time ran out.
            CosmosError: They cannot be read.
        """
        fields = 'c.projection, c.streamId, c["order"]'
        text = f"SELECT {fields} FROM c WHERE IS_NULL(c.discarded)"  # noqa: S608 - of constants
        found = await self._read(text, {}, deadline, module)
        return [(each["projection"], each["streamId"], each["order"]) for each in found]

    async def find(
        self, name: str | None, deadline: Deadline, *, discarded: bool = False
    ) -> list[DeadLetter]:
        """The letters of a projection or a module (None: all), in the order to replay them in.

        Args:
            name: Of a projection, or of a module.
            deadline: Time that it may take.
            discarded: Those that were discarded, instead of those that wait.

        Raises:
            DeadlineExceededError: Time ran out.
            CosmosError: They cannot be read.
        """
        which = "NOT IS_NULL(c.discarded)" if discarded else "IS_NULL(c.discarded)"
        found = await self._query(which, {}, deadline)
        wanted = [each for each in found if each.matches(name)]
        return sorted(wanted, key=lambda each: (each.first, each.order))

    async def get(self, letter_id: str, deadline: Deadline) -> DeadLetter:
        """One letter.

        Raises:
            UnknownResourceError: There is none of this id.
            DeadlineExceededError: Time ran out.
            CosmosError: It cannot be read.
        """
        found = await self._query("c.id = @id", {"@id": letter_id}, deadline)
        if not found:
            raise UnknownResourceError(f"There is no dead letter {letter_id!r:.100}.")
        return found[0]

    async def of_event(
        self, module: str, stream_id: str, event_id: str, deadline: Deadline
    ) -> list[DeadLetter]:
        """The letters of one event in one module.

        Raises:
            DeadlineExceededError: Time ran out.
            CosmosError: They cannot be read.
        """
        which = "c.streamId = @stream AND c.eventId = @event"
        parameters = {"@stream": stream_id, "@event": event_id}
        return await self._query(which, parameters, deadline, module)

    async def replace(self, letter: DeadLetter, deadline: Deadline) -> None:
        """Store a letter in place of what is there of it.

        Raises:
            DeadlineExceededError: Time ran out.
            CosmosError: Retrying cannot help.
        """
        await self._write(
            f"changing dead letter {letter.id}",
            lambda: self.container.upsert_item(letter.to_document()),
            deadline,
        )

    async def remove(self, letter: DeadLetter, deadline: Deadline) -> None:
        """Remove a letter; harmless if it is gone.

        Raises:
            DeadlineExceededError: Time ran out.
            CosmosError: Retrying cannot help.
        """
        try:
            await self._write(
                f"removing dead letter {letter.id}",
                lambda: self.container.delete_item(letter.id, letter.module),
                deadline,
                absent=NotFoundError,
            )
        except NotFoundError:
            return

    async def _create(self, letter: DeadLetter, deadline: Deadline) -> None:
        try:
            await self._write(
                f"parking event {letter.event_id}",
                lambda: self.container.create_item(letter.to_document()),
                deadline,
            )
        except ConflictError:
            return

    async def _write(
        self,
        doing: str,
        request: Callable[[], Awaitable[Any]],
        deadline: Deadline,
        absent: type[CosmosError] = ConfigurationError,
    ) -> None:
        await self.retrier.request(
            doing, request, partition=_PARTITION, deadline=deadline, absent=absent
        )

    async def _query(
        self,
        which: str,
        parameters: Mapping[str, object],
        deadline: Deadline,
        module: str | None = None,
    ) -> list[DeadLetter]:
        text = f"SELECT * FROM c WHERE {which}"  # noqa: S608 - of constants, see the callers
        found = await self._read(text, parameters, deadline, module)
        return [DeadLetter.from_document(each) for each in found]

    async def _read(
        self, text: str, parameters: Mapping[str, object], deadline: Deadline, module: str | None
    ) -> list[dict[str, Any]]:
        """What a query finds, in one module or in all of them."""
        values = [{"name": name, "value": each} for name, each in parameters.items()]
        scope: dict[str, Any] = {} if module is None else {"partition_key": module}

        async def read(_: Passage) -> list[dict[str, Any]]:
            items = self.container.query_items(text, parameters=values, **scope)
            seconds = min(QUERY_TIMEOUT_SECONDS, deadline.remaining())
            return await fetch_all("reading dead letters", items, seconds=seconds)

        return await self.retrier.run(
            read, partition=_PARTITION, deadline=deadline, effort=RequestStats()
        )
