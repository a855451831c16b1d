"""Clean ends: signals as something to wait for."""

from __future__ import annotations

import asyncio
import signal

_STOPPING = (signal.SIGINT, signal.SIGTERM)


async def until_stopped(*others: signal.Signals) -> signal.Signals:
    """Return the first SIGINT, SIGTERM or other given signal, in place of what it would do."""
    loop = asyncio.get_running_loop()
    received: asyncio.Queue[signal.Signals] = asyncio.Queue()
    for number in (*_STOPPING, *others):
        loop.add_signal_handler(number, received.put_nowait, number)
    return await received.get()


def cancel_on_signals() -> None:
    """Let SIGINT and SIGTERM cancel the running task, which then puts everything in order."""
    task = asyncio.current_task()
    loop = asyncio.get_running_loop()
    if task is None:
        return
    for number in _STOPPING:
        loop.add_signal_handler(number, task.cancel)
