"""What the person on call does: looking how far things are, and dealing with dead letters."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

from core.application import HEALTH_SECONDS, REQUEST_SECONDS
from core.errors import FieldProblem, InvalidRequestError, UnknownNameError
from core.operations.replay import Replayer
from core.throttling.deadline import Budget

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from core.application import Application
    from core.dead_letters.dead_letter import DeadLetter
    from core.operations.replay import Replayed
    from core.tracking.tracker import ModuleStatus

LONGEST_REASON = 1000
"""Characters of the reason for which a dead letter is discarded."""


class Discard(BaseModel):
    """The body of a request to discard a dead letter."""

    model_config = ConfigDict(extra="forbid", strict=True)

    reason: str


@dataclass(frozen=True, kw_only=True)
class Sweep:
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


class Operations:
    """The application from the side of who runs it.

    Args:
        application: The application, whose client is used.
    """

    def __init__(self, application: Application) -> None:
        self._application = application

    async def statuses(self) -> list[ModuleStatus]:
        """How far each projection module is, by name.

        Raises:
            CosmosError: It cannot be read.
        """
        engine, modules = self._application.engine, self._application.registry.modules

        async def read() -> list[ModuleStatus]:
            cursors = await engine.runner.cursors.all()
            return [
                replace(
                    await engine.tracker.status(name),
                    fan_outs=tuple(each for each in cursors if modules[name].has(each.projection)),
                )
                for name in sorted(modules)
            ]

        return await self._application.engine.read(read, Budget.of(REQUEST_SECONDS))

    async def event_status(self, module: str, stream: str, event_id: str) -> dict[str, Any]:
        """Whether a projection module has completely processed an event, or parked it.

        Raises:
            UnknownNameError: There is no such module or event.
            CosmosError: It cannot be read.
        """
        self._application.registry.module(module)
        engine = self._application.engine

        async def read() -> dict[str, Any]:
            return (await engine.tracker.event(module, stream, event_id)).as_json()

        budget = Budget.of(REQUEST_SECONDS)
        status = await engine.read(read, budget)
        letters = await engine.dead_letters.of_event(module, stream, event_id, budget)
        return {**status, "parked": [letter.reason for letter in letters]}

    async def blocked(self) -> list[dict[str, str]]:
        """What lines wait for: projection, event and error; no stream, for anybody may ask.

        Raises:
            CosmosError: It cannot be read.
        """
        letters = self._application.engine.dead_letters
        found = await letters.blocking(None, Budget.of(HEALTH_SECONDS))
        return [
            {"projection": each.name, "event": str(each.event_id), "error": each.error_type}
            for each in found
        ]

    async def dead_letters(self, name: str | None, *, discarded: bool = False) -> list[DeadLetter]:
        """The dead letters of a projection or a module (None: all), the oldest first.

        Raises:
            CosmosError: They cannot be read.
        """
        letters = self._application.engine.dead_letters
        return await letters.find(name, Budget.of(REQUEST_SECONDS), discarded=discarded)

    async def dead_letter(self, letter_id: str) -> DeadLetter:
        """One dead letter.

        Raises:
            UnknownNameError: There is none of this id.
            CosmosError: It cannot be read.
        """
        letters = self._application.engine.dead_letters
        return await letters.get(letter_id, Budget.of(REQUEST_SECONDS))

    async def replay(self, letter_id: str) -> Replayed:
        """Project a dead letter's event again, with today's code.

        Raises:
            UnknownNameError: There is no such letter.
            BudgetSpentError, CosmosError: It could not be tried; the letter is as it was.
        """
        engine = self._application.engine
        replayer = Replayer(
            modules=self._application.registry.modules,
            streams=engine.streams,
            runner=engine.runner,
            dead_letters=engine.dead_letters,
            max_hops=self._application.settings.max_hops,
        )
        return await replayer.replay(
            await self.dead_letter(letter_id), Budget.of(self._application.settings.budget)
        )

    async def replay_all(self, name: str | None) -> Sweep:
        """Replay the letters of a projection or a module (None: all), the oldest first.

        What a minute does not suffice for is left for the next call.

        Raises:
            BudgetSpentError, CosmosError: As `replay`; what was done before stays done.
        """

        async def work(letter_id: str) -> str | None:
            return (await self.replay(letter_id)).kept

        return await self._sweep(name, work)

    async def discard_all(self, name: str | None, reason: str) -> Sweep:
        """Discard the letters of a projection or a module (None: all), as above.

        Raises:
            InvalidRequestError: The reason is empty or too long.
            BudgetSpentError, CosmosError: As `discard`; what was done before stays done.
        """
        _check_reason(reason)

        async def work(letter_id: str) -> None:
            await self.discard(letter_id, reason)

        return await self._sweep(name, work)

    async def _sweep(self, name: str | None, work: Callable[[str], Awaitable[str | None]]) -> Sweep:
        budget = Budget.of(REQUEST_SECONDS)
        letters = await self.dead_letters(name)
        outcomes: dict[str, str | None] = {}
        for letter in letters:
            if not budget.remaining():
                break
            with contextlib.suppress(UnknownNameError):  # somebody else was quicker
                outcomes[letter.id] = await work(letter.id)
        kept = {letter_id: why for letter_id, why in outcomes.items() if why is not None}
        return Sweep(done=len(outcomes) - len(kept), kept=kept, left=len(letters) - len(outcomes))

    async def discard(self, letter_id: str, reason: str) -> DeadLetter:
        """Give a dead letter up; it is kept, with the reason, and not listed any more.

        Raises:
            UnknownNameError: There is no such letter.
            InvalidRequestError: The reason is empty or too long.
            BudgetSpentError, CosmosError: It could not be stored.
        """
        _check_reason(reason)
        letter = (await self.dead_letter(letter_id)).discard(reason.strip())
        await self._application.engine.dead_letters.replace(letter, Budget.of(REQUEST_SECONDS))
        return letter


def _check_reason(reason: str) -> None:
    if not reason.strip() or len(reason) > LONGEST_REASON:
        problem = f"A reason has 1 to {LONGEST_REASON} characters."
        raise InvalidRequestError(problem, FieldProblem(field="reason", problem=problem))
