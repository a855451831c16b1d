"""`python -m benchmarks poison`: what poison costs the healthy events around it."""

from __future__ import annotations

import asyncio
import logging
import time
from statistics import median
from typing import TYPE_CHECKING, Annotated, Any

import typer

from benchmarks.cosmos import account
from benchmarks.events import among, followed
from benchmarks.events import poison as poison_event
from benchmarks.output import JsonOption, save, show
from core.application import Application
from examples.followship import projections

if TYPE_CHECKING:
    from pathlib import Path

_EVERY = 10
_SIZE = 100


def poison(
    rounds: Annotated[int, typer.Option(min=1, help="Runs of each kind, in turn.")] = 5,
    batches: Annotated[int, typer.Option(min=_EVERY, help="Batches in a run.")] = 50,
    json_file: JsonOption = None,
) -> None:
    """Project batches of 100 with a poison event in every tenth, and without."""
    asyncio.run(_measure(rounds, batches, json_file))


async def _measure(rounds: int, batches: int, json_file: Path | None) -> None:
    logging.disable(logging.ERROR)  # each parked event is logged
    rates: dict[bool, list[float]] = {False: [], True: []}
    async with account() as (environ, _):
        application = Application.discover(projections, environ)
        await _run(application, 0, batches, poisoned=False)
        for nth in range(1, 2 * rounds + 1):
            poisoned = nth % 2 == 0
            rates[poisoned].append(await _run(application, nth, batches, poisoned=poisoned))
        await application.close()
    healthy = median(rates[False])
    rows = [
        _row(name, rates[poisoned], healthy)
        for name, poisoned in (("without", False), ("with", True))
    ]
    show(f"Healthy events a second, {rounds} rounds in turn, medians", rows)
    save(rows, json_file)


def _row(name: str, rates: list[float], healthy: float) -> dict[str, Any]:
    return {
        "run": f"{name} poison in every tenth batch",
        "events_a_second": round(median(rates)),
        "least": round(min(rates)),
        "most": round(max(rates)),
        "of_healthy": round(median(rates) / healthy, 2),
    }


async def _run(application: Application, nth: int, batches: int, *, poisoned: bool) -> float:
    """Healthy events a second."""
    done = 0
    begun = time.perf_counter()
    for batch in range(batches):
        first = (nth * batches + batch) * _SIZE
        healthy = [
            followed(number, among(number, 1_000)) for number in range(first + 1, first + _SIZE)
        ]
        event = poison_event if poisoned and batch % _EVERY == 0 else followed
        documents = [event(first, among(first, 1_000)), *healthy]
        outcome = await application.project("followship", documents)
        done += outcome.derived
    return done / (time.perf_counter() - begun)
