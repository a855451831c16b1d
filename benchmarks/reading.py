"""`python -m benchmarks reading`: an entity with many events, and what waits while it is read."""

from __future__ import annotations

import asyncio
import gc
import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from benchmarks.cosmos import account
from benchmarks.events import followed
from benchmarks.output import JsonOption, save, show
from benchmarks.workloads import hot
from core.application import Application
from examples.followship import projections

if TYPE_CHECKING:
    from pathlib import Path

_BATCH = 500


def reading(
    events: Annotated[int, typer.Option(min=1, help="Events of the entity.")] = 30_000,
    rounds: Annotated[int, typer.Option(min=1, help="Reads.")] = 5,
    json_file: JsonOption = None,
) -> None:
    """Read one entity, and measure the longest time for which nothing else could run."""
    asyncio.run(_measure(events, rounds, json_file))


async def _measure(events: int, rounds: int, json_file: Path | None) -> None:
    follows = hot(events)
    async with account() as (environ, _):
        application = Application.discover(projections, environ)
        documents = [followed(nth, follow) for nth, follow in enumerate(follows)]
        for first in range(0, events, _BATCH):
            await application.project("followship", documents[first : first + _BATCH])
        gc.freeze()  # as function_app.py does
        rows = [
            await _read(application, f"read {nth}", str(follows[0].followed))
            for nth in range(1, rounds + 1)
        ]
        await application.close()
    show(f"An entity with {events:,} events", rows)
    save(rows, json_file)


async def _read(application: Application, name: str, user: str) -> dict[str, Any]:
    gaps: list[float] = []
    watch = asyncio.create_task(_watch(gaps))
    await asyncio.sleep(0)
    begun, processor = time.perf_counter(), time.thread_time()
    await application.load_entity("followship", user)
    seconds, processor = time.perf_counter() - begun, time.thread_time() - processor
    watch.cancel()
    return {
        "run": name,
        "seconds": round(seconds, 2),
        "processor_seconds": round(processor, 2),
        "longest_gap_ms": round(max(gaps) * 1000, 1),
        "turns_of_others": len(gaps),
    }


async def _watch(gaps: list[float]) -> None:
    """Record the processor time between two turns, which other processes do not add to."""
    last = time.thread_time()
    while True:
        await asyncio.sleep(0)
        now = time.thread_time()
        gaps.append(now - last)
        last = now
