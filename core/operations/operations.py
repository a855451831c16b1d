"""What the person on call does: looking how far things are, and dealing with dead letters."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

from core.application import HEALTH_TIMEOUT_SECONDS, HTTP_TIMEOUT_SECONDS
from core.errors import FieldError, InvalidRequestError, UnknownResourceError
from core.operations.replay import Replayer
from core.throttling.deadline import Deadline

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from core.application import Application
    from core.dead_letters.dead_letter import DeadLetter
    from core.operations.replay import ReplayResult
    from core.tracking.tracker import ModuleStatus

MAX_DISCARD_REASON_LENGTH = 1000
"""Characters of the reason for which a dead letter is discarded."""


class DiscardRequest(BaseModel):
    """The body of a request to discard a dead letter."""

    model_config = ConfigDict(extra="forbid", strict=True)

    reason: str


@dataclass(frozen=True, kw_only=True)
class DeadLetterActionResult:
    """What became of many letters.

    Attributes:
        done: Letters that were replayed, or discarded.
        kept: Why the others are still there, by their ids.
        left: Letters that the time did not suffice for.
    """

    done: int
    kept: Mapping[str, str]
    left: int

    def as_json(self) -> dict[str, Any]:
        """By name."""
        return {"done": self.done, "kept": dict(self.kept), "left": self.left}


class AdminOperations:
    """The application from the side of who runs it.

    Args:
        application: The application, whose client is used.
    """

    def __init__(self, application: Application) -> None:
        self._application = application

    async def module_statuses(self) -> list[ModuleStatus]:
        """How far each projection module is, by name.

        Raises:
            CosmosError: It cannot be read.
        """
        services, modules = self._application.services, self._application.registry.modules

        deadline = Deadline.after(HTTP_TIMEOUT_SECONDS)
        cursors = await services.runner.cursors.all(deadline)
        return [
            replace(
                await services.tracker.module_status(name, deadline),
                fan_outs=tuple(
                    each for each in cursors if modules[name].has_projection(each.projection)
                ),
            )
            for name in sorted(modules)
        ]

    async def event_status(self, module: str, stream: str, event_id: str) -> dict[str, Any]:
        """Whether a projection module has completely processed an event, or parked it.

        Raises:
            UnknownResourceError: There is no such module or event.
            CosmosError: It cannot be read.
        """
        self._application.registry.module(module)
        services = self._application.services

        deadline = Deadline.after(HTTP_TIMEOUT_SECONDS)
        if await services.streams.get(stream, event_id, deadline) is None:
            raise UnknownResourceError(f"There is no event {event_id!r} in stream {stream!r}.")
        status = await services.tracker.event_status(module, stream, event_id, deadline)
        letters = await services.dead_letters.for_event(module, stream, event_id, deadline)
        return {**status.as_json(), "parked": [letter.reason for letter in letters]}

    async def blocking_dead_letters(self) -> list[dict[str, str]]:
        """What lines wait for: projection, event and error; no stream, for anybody may ask.

        Raises:
            CosmosError: It cannot be read.
        """
        letters = self._application.services.dead_letters
        found = await letters.blocking(None, Deadline.after(HEALTH_TIMEOUT_SECONDS))
        return [
            {"projection": each.name, "event": str(each.event_id), "error": each.error_type}
            for each in found
        ]

    async def dead_letters(self, name: str | None, *, discarded: bool = False) -> list[DeadLetter]:
        """The dead letters of a projection or a module (None: all), the oldest first.

        Raises:
            CosmosError: They cannot be read.
        """
        letters = self._application.services.dead_letters
        return await letters.search(name, Deadline.after(HTTP_TIMEOUT_SECONDS), discarded=discarded)

    async def dead_letter(self, letter_id: str) -> DeadLetter:
        """One dead letter.

        Raises:
            UnknownResourceError: There is none of this id.
            CosmosError: It cannot be read.
        """
        letters = self._application.services.dead_letters
        return await letters.get(letter_id, Deadline.after(HTTP_TIMEOUT_SECONDS))

    async def replay(self, letter_id: str) -> ReplayResult:
        """Project a dead letter's event again, with today's code.

        Raises:
            UnknownResourceError: There is no such letter.
            DeadlineExceededError, CosmosError: It could not be tried; the letter is as it was.
        """
        services = self._application.services
        replayer = Replayer(
            modules=self._application.registry.modules,
            streams=services.streams,
            runner=services.runner,
            dead_letters=services.dead_letters,
            max_hops=self._application.settings.max_hops,
        )
        return await replayer.replay(
            await self.dead_letter(letter_id),
            Deadline.after(self._application.settings.invocation_timeout_seconds),
        )

    async def replay_all(self, name: str | None) -> DeadLetterActionResult:
        """Replay the letters of a projection or a module (None: all), the oldest first.

        What a minute does not suffice for is left for the next call.

        Raises:
            DeadlineExceededError, CosmosError: As `replay`; what was done before stays done.
        """

        async def work(letter_id: str) -> str | None:
            return (await self.replay(letter_id)).kept

        return await self._apply_to_all(name, work)

    async def discard_all(self, name: str | None, reason: str) -> DeadLetterActionResult:
        """DiscardRequest the letters of a projection or a module (None: all), as above.

        Raises:
            InvalidRequestError: The reason is empty or too long.
            DeadlineExceededError, CosmosError: As `discard`; what was done before stays done.
        """
        _check_reason(reason)

        async def work(letter_id: str) -> None:
            await self.discard(letter_id, reason)

        return await self._apply_to_all(name, work)

    async def _apply_to_all(
        self, name: str | None, work: Callable[[str], Awaitable[str | None]]
    ) -> DeadLetterActionResult:
        deadline = Deadline.after(HTTP_TIMEOUT_SECONDS)
        letters = await self.dead_letters(name)
        outcomes: dict[str, str | None] = {}
        for letter in letters:
            if not deadline.remaining():
                break
            with contextlib.suppress(UnknownResourceError):  # somebody else was quicker
                outcomes[letter.id] = await work(letter.id)
        kept = {letter_id: why for letter_id, why in outcomes.items() if why is not None}
        return DeadLetterActionResult(
            done=len(outcomes) - len(kept), kept=kept, left=len(letters) - len(outcomes)
        )

    async def discard(self, letter_id: str, reason: str) -> DeadLetter:
        """Give a dead letter up; it is kept, with the reason, and not listed any more.

        Raises:
            UnknownResourceError: There is no such letter.
            InvalidRequestError: The reason is empty or too long.
            DeadlineExceededError, CosmosError: It could not be stored.
        """
        _check_reason(reason)
        letter = (await self.dead_letter(letter_id)).discard(reason.strip())
        await self._application.services.dead_letters.replace(
            letter, Deadline.after(HTTP_TIMEOUT_SECONDS)
        )
        return letter


def _check_reason(reason: str) -> None:
    if not reason.strip() or len(reason) > MAX_DISCARD_REASON_LENGTH:
        problem = f"A reason has 1 to {MAX_DISCARD_REASON_LENGTH} characters."
        raise InvalidRequestError(problem, FieldError(field="reason", detail=problem))
