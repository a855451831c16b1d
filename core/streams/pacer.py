"""Lets other tasks of the event loop continue during long computations."""

from __future__ import annotations

import asyncio
import time
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

_MAX_HOLD_SECONDS = 0.02
"""The time for which the event loop is held, apart from a single call of an author's code."""

_give_way = partial(asyncio.sleep, 0)


class Pacer:
    """Lets the other tasks of the event loop continue while much is parsed and folded.

    Args:
        clock: Returns the seconds of a monotonic clock.
        give_way: Lets the other tasks continue.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        give_way: Callable[[], Awaitable[None]] = _give_way,
    ) -> None:
        self._clock = clock
        self._give_way = give_way
        self._since = clock()

    async def pause(self) -> None:
        """Return, after the other tasks if the loop has been held for long."""
        if self._clock() - self._since >= _MAX_HOLD_SECONDS:
            await self._give_way()
            self._since = self._clock()
