"""`python -m benchmarks growth`: more events, larger batches, larger fan-outs."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import time
from statistics import median
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from benchmarks import large
from benchmarks.events import among, announced, followed
from benchmarks.output import JsonOption, save, show
from benchmarks.plots import Plot
from benchmarks.stations import projections as stations
from benchmarks.stub import Stub
from core.model.registry import Registry
from core.throttling.deadline import Deadline
from examples.followship import projections
from local.harness.processes import peak_memory

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from core.model.registry import ProjectionModule

_BATCH = 500
_LEAST = 10_000
"""Events of the shortest runs."""

_LARGEST_BATCH = 1_000
_USERS = 5_000
_LARGEST_PAGE = 4_000_000
"""Bytes of the largest page of the change feed, and so of the largest batch."""

_SIZES = (1_000, 10_000, 100_000, 1_000_000)
"""Bytes of the large events."""

_LARGE_BYTES, _LARGE_BYTES_EACH = 200_000_000, 4_000
"""Bytes that each run with large events derives, and for each event of the longest run if that is
less."""

_HOUR = 3_600.0


class Case(NamedTuple):
    """A run: batches of so many source events that fan out to so many derived ones each."""

    name: str
    events: int
    batch: int
    fan_out: int
    size: int = 0


class Grown(NamedTuple):
    """Microseconds of processor for a derived event, megabytes at the peak, of them for the run."""

    microseconds: float
    peak: float
    added: float


def growth(
    largest: Annotated[
        int, typer.Option(min=10_000, help="Events of the longest run.")
    ] = 1_000_000,
    rounds: Annotated[int, typer.Option(min=1, help="Runs of each, in turn.")] = 5,
    json_file: JsonOption = None,
) -> None:
    """Project over a stub that answers at once, each run in a process of its own."""
    measured: dict[Case, list[Grown]] = {case: [] for case in _cases(largest)}
    spawn = multiprocessing.get_context("spawn")
    for _ in range(rounds):
        for case, grown in measured.items():
            with spawn.Pool(1) as pool:
                grown.append(pool.apply(_run, (case,)))
    rows = [_row(case, grown) for case, grown in measured.items()]
    show(f"For a derived event, {rounds} rounds in turn, medians", rows)
    save(rows, json_file, _plot(rows))


def _cases(largest: int) -> Iterator[Case]:
    sizes = [10**power for power in range(7) if 10**power <= largest]
    for events in (size for size in sizes if size >= _LEAST):
        yield Case(f"{events:,} source events", events, _BATCH, 0)
    for batch in (size for size in sizes if size <= _LARGEST_BATCH):
        yield Case(f"batches of {batch:,}", _LEAST, batch, 0)
    for fan_out in sizes:
        events = max(1, min(10 * _LEAST, largest) // fan_out)
        yield Case(f"fan-out of {fan_out:,}", events, max(1, _BATCH // fan_out), fan_out)
    for size in _SIZES:
        fan_out = min(_LARGE_BYTES, _LARGE_BYTES_EACH * largest) // size
        events, batch = min(fan_out, 200), min(_BATCH, _LARGEST_PAGE // size)
        few = fan_out // events
        yield Case(f"{events} fan-outs of {few:,}, {size:,} bytes", events, batch, few, size)
        yield Case(f"fan-out of {fan_out:,}, {size:,} bytes", 1, 1, fan_out, size)


def _run(case: Case) -> Grown:
    return asyncio.run(_project(case))


async def _project(case: Case) -> Grown:
    module = _module(case)
    processor = Stub().processor()
    derived, spent, before = 0, 0.0, _peak()
    for first in range(0, case.events, case.batch):
        numbers = range(first, min(first + case.batch, case.events))
        batch = [_event(case, nth) for nth in numbers]
        begun = time.process_time()
        derived += (await processor.process(module, batch, Deadline.after(_HOUR))).derived
        spent += time.process_time() - begun
    if derived != case.events * max(case.fan_out, 1):
        raise RuntimeError(f"{case.name}: {derived:,} derived events.")
    return Grown(spent / derived * 1e6, _peak(), _peak() - before)


def _module(case: Case) -> ProjectionModule:
    if case.size:
        return large.MODULE
    package = stations if case.fan_out else projections
    return Registry.discover(package).module("announcements" if case.fan_out else "followship")


def _event(case: Case, number: int) -> dict[str, Any]:
    if case.size:
        return large.published(number, case.fan_out, case.size)
    if case.fan_out:
        return {**announced("a", case.fan_out, 1), "id": f"announcement-{number}"}
    return followed(number, among(number, _USERS))


def _peak() -> float:
    return peak_memory(os.getpid()) / 1e6


def _row(case: Case, grown: Sequence[Grown]) -> dict[str, Any]:
    times = [one.microseconds for one in grown]
    return {
        "run": case.name,
        "microseconds": round(median(times), 1),
        "least": round(min(times), 1),
        "most": round(max(times), 1),
        "peak_mb": round(median(one.peak for one in grown)),
        "added_mb": round(median(one.added for one in grown), 1),
    }


def _plot(rows: Sequence[dict[str, Any]]) -> Plot:
    return Plot(
        title="Processor time for a derived event",
        unit="microseconds",
        places=[row["run"] for row in rows],
        series={"median": [row["microseconds"] for row in rows]},
        logarithmic=True,
    )
