"""Dead letters: list, replay and discard them, one or a page at a time."""

from __future__ import annotations

import base64
import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field

from core.camel_model import CamelModel
from core.dead_letters.dead_letter import DeadLetterSummary
from core.dead_letters.reader import MAX_PAGE_SIZE, invalid_continuation, invalid_limit
from core.errors import (
    DeadlineExceededError,
    InvalidRequestError,
    UnknownResourceError,
)
from core.operations.replay import Replayer
from core.services import HTTP_TIMEOUT_SECONDS
from core.throttling.deadline import Deadline

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from core.dead_letters.dead_letter import DeadLetter
    from core.dead_letters.queries import DeadLetterFilter
    from core.model.registry import Registry
    from core.operations.replay import ReplayResult
    from core.services import Services

    Action = Callable[[str, "_Progress", Deadline], Awaitable[None]]

MAX_DISCARD_REASON_LENGTH = 1000
"""The characters of the reason for which a dead letter is discarded."""

_MARK = "1"
"""The first character of a continuation, so that none is empty."""

_OUT_OF_TIME = "There was not enough time for it. Try again."


class DiscardRequest(BaseModel):
    """The body of a request to discard dead letters."""

    model_config = ConfigDict(extra="forbid", strict=True)

    reason: str = Field(
        json_schema_extra={"minLength": 1, "maxLength": MAX_DISCARD_REASON_LENGTH, "pattern": r"\S"}
    )
    """Why the dead letters are discarded, which is stored with each of them."""


class DeadLetterPage(CamelModel):
    """A page of a list of dead letters."""

    dead_letters: list[DeadLetterSummary]
    """The dead letters, the oldest of the page first."""

    next: str | None
    """The value of `after` for the next page, null if this is the last one."""


class DeadLetterActionResult(CamelModel):
    """The result of an action on a page of dead letters."""

    succeeded: int
    """The number of dead letters for which it succeeded."""

    failed: dict[str, str]
    """The reasons why it failed for others, by id."""

    next: str | None
    """The value of `after` for the next dead letters, null if there are no more."""


@dataclass
class _Progress:
    """The counts of an action."""

    succeeded: int = 0
    failed: dict[str, str] = field(default_factory=dict)

    def add(self, result: ReplayResult) -> None:
        """Add the result of a replay."""
        if result.reason is None:
            self.succeeded += 1
        else:
            self.failed[result.id] = result.reason

    def give_up(self, dead_letters: Iterable[DeadLetterSummary]) -> None:
        """Count as failed those for which there was no time."""
        for dead_letter in dead_letters:
            self.failed.setdefault(dead_letter.id, _OUT_OF_TIME)


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

    async def page(
        self,
        selection: DeadLetterFilter,
        *,
        after: str | None = None,
        limit: int = MAX_PAGE_SIZE,
    ) -> DeadLetterPage:
        """Return a page of dead letters.

        Args:
            selection: Which ones.
            after: The `next` of the page before, None for the first page.
            limit: The largest number of dead letters, up to 200.

        Raises:
            InvalidRequestError: If `after` or `limit` is invalid.
        """
        if not 1 <= limit <= MAX_PAGE_SIZE:
            raise invalid_limit(limit)
        page = await self.services.dead_letters.page(
            selection,
            Deadline.after(HTTP_TIMEOUT_SECONDS),
            after=None if after is None else _decode(after),
            limit=limit,
        )
        following = None if page.next is None else _encode(page.next)
        return DeadLetterPage(dead_letters=page.dead_letters, next=following)

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
        return await self._replay(dead_letter_id, Deadline.after(self.replay_timeout_seconds))

    async def replay_page(
        self,
        selection: DeadLetterFilter,
        *,
        after: str | None = None,
        limit: int = MAX_PAGE_SIZE,
    ) -> DeadLetterActionResult:
        """Replay a page of dead letters, for up to a minute.

        Those that must wait for earlier events of their streams are replayed after these. Ending it
        at any time and calling it again is safe.

        Raises:
            InvalidRequestError: If `after` or `limit` is invalid.
        """
        return await self._apply(selection, self._replay_in_order, after=after, limit=limit)

    async def discard(self, dead_letter_id: str, reason: str) -> DeadLetter:
        """Discard a dead letter, which is kept with the reason but not listed, and return it.

        Raises:
            UnknownResourceError: If the dead letter does not exist.
            InvalidRequestError: If the reason is empty or too long.
        """
        _check_reason(reason)
        deadline = Deadline.after(HTTP_TIMEOUT_SECONDS)
        return await self.services.dead_letters.discard(dead_letter_id, reason.strip(), deadline)

    async def discard_page(
        self,
        selection: DeadLetterFilter,
        reason: str,
        *,
        after: str | None = None,
        limit: int = MAX_PAGE_SIZE,
    ) -> DeadLetterActionResult:
        """Discard a page of dead letters, for up to a minute.

        Raises:
            InvalidRequestError: If the reason is empty or too long, or `after` or `limit` invalid.
        """
        _check_reason(reason)

        async def discard(dead_letter_id: str, progress: _Progress, deadline: Deadline) -> None:
            store = self.services.dead_letters
            await store.discard(dead_letter_id, reason.strip(), deadline)
            progress.succeeded += 1

        return await self._apply(selection, discard, after=after, limit=limit)

    async def _apply(
        self, selection: DeadLetterFilter, action: Action, *, after: str | None, limit: int
    ) -> DeadLetterActionResult:
        """Apply an action to a page, until the time is up.

        After a success, `next` is then this page, so that the others are tried once more. Otherwise
        this page would never end, so all that are left have failed.
        """
        deadline = Deadline.after(HTTP_TIMEOUT_SECONDS)
        page = await self.page(selection, after=after, limit=limit)
        progress, following = _Progress(), page.next
        for index, dead_letter in enumerate(page.dead_letters):
            if dead_letter.id in progress.failed:
                continue
            try:
                deadline.check("acting on dead letters")
                with contextlib.suppress(UnknownResourceError):  # somebody else was faster
                    await action(dead_letter.id, progress, deadline)
            except DeadlineExceededError:
                if progress.succeeded:
                    following = after or _encode("")
                else:
                    progress.give_up(page.dead_letters[index:])
                break
        return DeadLetterActionResult(
            succeeded=progress.succeeded, failed=progress.failed, next=following
        )

    async def _replay_in_order(
        self, dead_letter_id: str, progress: _Progress, deadline: Deadline
    ) -> None:
        """Replay a dead letter after those that precede it in its stream, if they succeed."""
        result = await self._replay(dead_letter_id, deadline)
        while result.preceding is not None and result.preceding not in progress.failed:
            with contextlib.suppress(UnknownResourceError):  # somebody else was faster
                progress.add(await self._replay(result.preceding, deadline))
            result = await self._replay(dead_letter_id, deadline)
        progress.add(result)

    async def _replay(self, dead_letter_id: str, deadline: Deadline) -> ReplayResult:
        replayer = Replayer(
            modules=self.registry.modules,
            reader=self.services.reader,
            processor=self.services.processor,
            dead_letters=self.services.dead_letters,
        )
        dead_letter = await self.services.dead_letters.get(dead_letter_id, deadline)
        return await replayer.replay(dead_letter, deadline)


def _encode(continuation: str) -> str:
    """Return a continuation, empty for the first page, as text for an address."""
    return base64.urlsafe_b64encode(f"{_MARK}{continuation}".encode()).decode().rstrip("=")


def _decode(after: str) -> str | None:
    """Return the continuation of such a text, None for the first page.

    Raises:
        InvalidRequestError: If it is not one.
    """
    padded = f"{after}{'=' * (-len(after) % 4)}"
    try:
        content = base64.b64decode(padded, altchars=b"-_", validate=True).decode()
    except ValueError:
        content = ""
    if not (content.startswith(_MARK) and content.isascii() and content.isprintable()):
        raise invalid_continuation()
    return content.removeprefix(_MARK) or None


def _check_reason(reason: str) -> None:
    if not reason.strip() or len(reason) > MAX_DISCARD_REASON_LENGTH:
        detail = f"A reason has 1 to {MAX_DISCARD_REASON_LENGTH} characters."
        raise InvalidRequestError.for_field("reason", detail)
