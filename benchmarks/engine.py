"""`python -m benchmarks engine`: processor time from the decoded batch to the request."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
import venv
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from benchmarks.events import followed
from benchmarks.output import JsonOption, save, show, spread
from benchmarks.plots import Plot
from benchmarks.stub import Stub
from benchmarks.workloads import FOLLOWS
from core.model.registry import Registry
from core.throttling.deadline import Deadline
from examples.followship import projections

if TYPE_CHECKING:
    from collections.abc import Sequence

    from core.model.registry import ProjectionModule
    from local.harness.follows import Follow

_LIBRARY = Path(__file__).parent / "eventsourcing"
_PEER = "eventsourcing, in memory"
_BATCH = 500
_WARM = 5_000
"""Events before the clock starts: a process begins slowly, until it knows what Cosmos DB takes."""

_HOUR = 3_600.0


def engine(
    events: Annotated[int, typer.Option(min=10_000, help="Source events in a run.")] = 20_000,
    rounds: Annotated[int, typer.Option(min=1, help="Runs of each, in turn.")] = 5,
    json_file: JsonOption = None,
) -> None:
    """Project follows in batches of 500 over a stub that answers at once, and by another library.

    Ours: from the batch as dicts to the body of each request as bytes, answers included. Theirs:
    from the stored event through the runner to the stored derived event, in its fastest store.
    """
    python = install_library()
    module = Registry.discover(projections).module("followship")
    loads = {f"ours, {name}": FOLLOWS[name](events) for name in ("spread", "hot")}
    measured: dict[str, list[float]] = {name: [] for name in (*loads, _PEER)}
    for _ in range(rounds):
        for name, follows in loads.items():
            measured[name].append(asyncio.run(_ours(module, follows)))
        measured[_PEER].append(_theirs(python, events))
    least = measured[_PEER]
    rows = [_row(name, values, least) for name, values in measured.items()]
    show(f"Microseconds of processor for a derived event, {rounds} rounds in turn, medians", rows)
    save(rows, json_file, _plot(rows))


async def _ours(module: ProjectionModule, follows: Sequence[Follow]) -> float:
    processor = Stub().processor()
    spent = derived = 0.0
    for first in range(0, len(follows), _BATCH):
        batch = [
            followed(nth, follow) for nth, follow in enumerate(follows[first:][:_BATCH], first)
        ]
        begun = time.process_time()
        outcome = await processor.process(module, batch, Deadline.after(_HOUR))
        if first >= _WARM:
            spent += time.process_time() - begun
            derived += outcome.derived
    return spent / derived * 1e6


def _theirs(python: Path, events: int) -> float:
    command = (str(python), "follow.py", str(events))
    done = subprocess.run(command, cwd=_LIBRARY, check=True, capture_output=True, text=True)  # noqa: S603 - a fixed command
    return float(json.loads(done.stdout)["processor"]) / events * 1e6


def install_library() -> Path:
    """The library in an environment of its own, for comparison only; its Python."""
    folder = _LIBRARY / ".venv"
    python = folder / "bin" / "python"
    done = folder / ".installed"
    if not done.exists():
        venv.create(folder, with_pip=True, clear=True)
        command = (str(python), *("-m", "pip", "install", "-q", "-r", "requirements.txt"))
        subprocess.run(command, cwd=_LIBRARY, check=True, stdout=sys.stderr)  # noqa: S603 - a fixed command
        done.touch()
    return python


def _row(name: str, values: Sequence[float], peer: Sequence[float]) -> dict[str, Any]:
    figures = spread("microseconds", values)
    ratio = spread("ratio", peer)["ratio"] / figures["microseconds"]
    return {"run": name, **figures, "ours_spends_less": round(ratio, 1)}


def _plot(rows: Sequence[dict[str, Any]]) -> Plot:
    return Plot(
        title="Processor time for a derived event, from the batch to the request",
        unit="microseconds",
        places=[""],
        series={row["run"]: [row["microseconds"]] for row in rows},
    )
