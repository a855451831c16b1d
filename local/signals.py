"""Clean ends: Ctrl-C and SIGTERM as something to wait for."""

from __future__ import annotations

import asyncio
import signal

_STOPPING = (signal.SIGINT, signal.SIGTERM)


async def until_stopped() -> None:
    """Return at the first SIGINT or SIGTERM, in place of what they would do."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in _STOPPING:
        loop.add_signal_handler(number, stopped.set)
    await stopped.wait()


def cancel_on_signals() -> None:
    """Let SIGINT and SIGTERM cancel the running task, which then puts everything in order."""
    task = asyncio.current_task()
    loop = asyncio.get_running_loop()
    if task is None:
        return
    for number in _STOPPING:
        loop.add_signal_handler(number, task.cancel)
