"""Dead letters: list, replay and discard them."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field

from core.errors import FieldError, InvalidRequestError, UnknownResourceError
from core.operations.replay import Replayer
from core.services import HEALTH_TIMEOUT_SECONDS, HTTP_TIMEOUT_SECONDS
from core.throttling.deadline import Deadline

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from core.dead_letters.dead_letter import DeadLetter
    from core.model.registry import Registry
    from core.operations.replay import ReplayResult
    from core.services import Services

MAX_DISCARD_REASON_LENGTH = 1000
"""The characters of the reason for which a dead letter is discarded."""


class DiscardRequest(BaseModel):
    """The body of a request to discard dead letters."""

    model_config = ConfigDict(extra="forbid", strict=True)

    reason: str = Field(min_length=1, max_length=MAX_DISCARD_REASON_LENGTH, pattern=r"\S")


@dataclass(frozen=True, kw_only=True)
class DeadLetterActionResult:
    """The result of an action on many dead letters.

    Attributes:
        succeeded: The number of dead letters for which it succeeded.
        failed: The reasons why it failed for others, by id.
        remaining: The number of dead letters for which there was no time.
    """

    succeeded: int
    failed: Mapping[str, str]
    remaining: int

    def to_dict(self) -> dict[str, Any]:
        """Return what is shown of it."""
        failed = dict(self.failed)
        return {"succeeded": self.succeeded, "failed": failed, "remaining": self.remaining}


@dataclass(frozen=True, kw_only=True)
class DeadLetterOperations:
    """Lists, replays and discards dead letters.

    Every method raises DeadlineExceededError if Cosmos DB does not respond in time, and CosmosError
    if it returns an error that is not retryable.

    Attributes:
        services: The objects over Cosmos DB.
        registry: The declarations of the application.
        replay_timeout_seconds: The seconds in which one replay must end.
    """

    services: Services
    registry: Registry
    replay_timeout_seconds: float

    async def blocking(self) -> list[dict[str, str | None]]:
        """Return projection, event and error of what blocks leases, but no stream in public."""
        deadline = Deadline.after(HEALTH_TIMEOUT_SECONDS)
        return [
            {
                "module": dead_letter.module,
                "projection": dead_letter.projection,
                "eventId": str(dead_letter.event_id),
                "errorType": dead_letter.error_type,
            }
            for dead_letter in await self.services.dead_letters.blocking(None, deadline)
        ]

    async def search(self, name: str | None, *, discarded: bool = False) -> list[DeadLetter]:
        """Return the dead letters of a projection or a module (None: all), the oldest first."""
        deadline = Deadline.after(HTTP_TIMEOUT_SECONDS)
        return await self.services.dead_letters.search(name, deadline, discarded=discarded)

    async def get(self, dead_letter_id: str) -> DeadLetter:
        """Return a dead letter.

        Raises:
            UnknownResourceError: If it does not exist.
        """
        deadline = Deadline.after(HTTP_TIMEOUT_SECONDS)
        return await self.services.dead_letters.get(dead_letter_id, deadline)

    async def replay(self, dead_letter_id: str) -> ReplayResult:
        """Project the event of a dead letter again, with the current code.

        Raises:
            UnknownResourceError: If the dead letter does not exist.
        """
        replayer = Replayer(
            modules=self.registry.modules,
            reader=self.services.reader,
            processor=self.services.processor,
            dead_letters=self.services.dead_letters,
        )
        dead_letter = await self.get(dead_letter_id)
        return await replayer.replay(dead_letter, Deadline.after(self.replay_timeout_seconds))

    async def replay_all(self, name: str | None) -> DeadLetterActionResult:
        """Replay the dead letters of a projection or a module (None: all), the oldest first.

        After a minute the remaining ones are left for the next call. If an error is raised, what
        succeeded before is not undone.
        """

        async def replay_one(dead_letter_id: str) -> str | None:
            return (await self.replay(dead_letter_id)).failure

        return await self._apply_to_all(name, replay_one)

    async def discard(self, dead_letter_id: str, reason: str) -> DeadLetter:
        """Discard a dead letter, which is kept with the reason but not listed, and return it.

        Raises:
            UnknownResourceError: If the dead letter does not exist.
            InvalidRequestError: If the reason is empty or too long.
        """
        _check_reason(reason)
        dead_letter = (await self.get(dead_letter_id)).discard(reason.strip())
        deadline = Deadline.after(HTTP_TIMEOUT_SECONDS)
        await self.services.dead_letters.replace(dead_letter, deadline)
        return dead_letter

    async def discard_all(self, name: str | None, reason: str) -> DeadLetterActionResult:
        """Discard the dead letters of a projection or a module (None: all).

        After a minute the remaining ones are left for the next call. If an error is raised, what
        succeeded before is not undone.

        Raises:
            InvalidRequestError: If the reason is empty or too long.
        """
        _check_reason(reason)

        async def discard_one(dead_letter_id: str) -> None:
            await self.discard(dead_letter_id, reason)

        return await self._apply_to_all(name, discard_one)

    async def _apply_to_all(
        self, name: str | None, act: Callable[[str], Awaitable[str | None]]
    ) -> DeadLetterActionResult:
        deadline = Deadline.after(HTTP_TIMEOUT_SECONDS)
        dead_letters = await self.search(name)
        failures: dict[str, str | None] = {}
        for dead_letter in dead_letters:
            if not deadline.remaining():
                break
            with contextlib.suppress(UnknownResourceError):  # somebody else was faster
                failures[dead_letter.id] = await act(dead_letter.id)
        failed = {key: failure for key, failure in failures.items() if failure is not None}
        return DeadLetterActionResult(
            succeeded=len(failures) - len(failed),
            failed=failed,
            remaining=len(dead_letters) - len(failures),
        )


def _check_reason(reason: str) -> None:
    if not reason.strip() or len(reason) > MAX_DISCARD_REASON_LENGTH:
        detail = f"A reason has 1 to {MAX_DISCARD_REASON_LENGTH} characters."
        raise InvalidRequestError(detail, FieldError(field="reason", detail=detail))
