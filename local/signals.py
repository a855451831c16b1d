"""Signals on which commands stop cleanly."""

from __future__ import annotations

import asyncio
import signal

_SHUTDOWN_SIGNALS = (signal.SIGINT, signal.SIGTERM)


async def wait_for_shutdown(*others: signal.Signals) -> signal.Signals:
    """Return the first SIGINT, SIGTERM or other given signal, which has no other effect."""
    loop = asyncio.get_running_loop()
    received: asyncio.Queue[signal.Signals] = asyncio.Queue()
    for number in (*_SHUTDOWN_SIGNALS, *others):
        loop.add_signal_handler(number, received.put_nowait, number)
    return await received.get()


def cancel_on_signals() -> None:
    """Let SIGINT and SIGTERM cancel the running task, which can then clean up."""
    task = asyncio.current_task()
    loop = asyncio.get_running_loop()
    if task is None:
        return
    for number in _SHUTDOWN_SIGNALS:
        loop.add_signal_handler(number, task.cancel)
