from __future__ import annotations

import asyncio
import gc
from contextlib import aclosing
from typing import Any

from core.writing.results import results_of
from core.writing.writes import Written


async def test_closing_the_results_leaves_nothing_to_log() -> None:
    """Asyncio would report a cancellation that nobody retrieves, for each such write."""
    reported: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context))
    queue: asyncio.Queue[Any] = asyncio.Queue()
    is_cancelled = False

    async def work() -> None:
        nonlocal is_cancelled
        queue.put_nowait(Written([]))
        try:
            await asyncio.Event().wait()
        finally:
            is_cancelled = True

    async with aclosing(results_of(queue, [work()])) as results:
        assert await anext(results) == Written([])
    del results
    gc.collect()

    assert is_cancelled
    assert reported == []
