"""The results of work that runs concurrently."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from core.errors import CosmosError, DeadlineExceededError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterable


async def gather_all(*work: Awaitable[None]) -> None:
    """Complete all of the work, whatever fails, and then raise the most severe error."""
    raise_most_severe(await asyncio.gather(*work, return_exceptions=True))


def raise_most_severe(results: Iterable[BaseException | None]) -> None:
    """Raise the error that most needs attention, if there is one."""
    errors = [error for error in results if error is not None]
    if errors:
        raise max(errors, key=_severity)


def _severity(error: BaseException) -> int:
    if isinstance(error, DeadlineExceededError):
        return 0
    return 1 if isinstance(error, CosmosError) else 2
