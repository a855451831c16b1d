"""`python -m benchmarks start`: a cold start of the app, and what it consists of."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Annotated, Any

import typer

from benchmarks.output import JsonOption, save, show
from benchmarks.plots import Plot

if TYPE_CHECKING:
    from collections.abc import Sequence

_ROOT = Path(__file__).parents[1]
_APP = _ROOT / "examples" / "followship"
_LOADED = "import function_app"
_DECLARED = f"{_LOADED}; function_app.app.get_functions()"
_READY = f"""{_DECLARED}
import asyncio
async def open_and_close():
    function_app.application.services
    await function_app.application.close()
asyncio.run(open_and_close())"""
_CONNECTION = {"CosmosConnection": "AccountEndpoint=http://127.0.0.1:1/;AccountKey=bm9uZQ==;"}
_STEPS = {
    "Python itself": "pass",
    "and azure.functions": "import azure.functions",
    "and pydantic": "import azure.functions, pydantic",
    "and azure.cosmos": "import azure.functions, pydantic, azure.cosmos.aio",
    "and the app": _LOADED,
    "and its functions declared": _DECLARED,
    "and a client opened": _READY,
}
_LINE = re.compile(r"import time:\s+(\d+) \|\s+\d+ \|\s*(\S+)")
_DEPTHS = {"azure": 2}
_SHOWN = 12


def start(
    rounds: Annotated[int, typer.Option(min=1, help="Starts of each, in turn.")] = 5,
    json_file: JsonOption = None,
) -> None:
    """Start Python with more and more of the app; its files are compiled, and cached, by then."""
    measured: dict[str, list[float]] = {name: [] for name in _STEPS}
    with tempfile.TemporaryDirectory(prefix="compiled-") as compiled:
        for _ in range(rounds + 1):
            for name, code in _STEPS.items():
                measured[name].append(_seconds(code, compiled))
        packages = _packages(rounds, compiled)
    steps = [_row(name, times[1:]) for name, times in measured.items()]
    show(f"Milliseconds from the start of the process, {rounds} rounds in turn, medians", steps)
    show("Milliseconds of it in the modules of a package, as Python counts them", packages)
    save({"steps": steps, "packages": packages}, json_file, _plot(packages))


def _seconds(code: str, compiled: str) -> float:
    begun = time.perf_counter()
    _run(compiled, "-c", code)
    return time.perf_counter() - begun


def _run(compiled: str, *arguments: str) -> str:
    """Python with our settings, its bytecode in this folder; what it tells on standard error."""
    paths = {"PYTHONPATH": str(_ROOT), "PYTHONPYCACHEPREFIX": compiled}
    environ = {**os.environ, **_CONNECTION, **paths}
    environ.pop("PYTHONDONTWRITEBYTECODE", None)
    done = subprocess.run(  # noqa: S603 - our own code
        [sys.executable, *arguments],
        cwd=_APP,
        env=environ,
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stderr


def _packages(rounds: int, compiled: str) -> list[dict[str, Any]]:
    """Time in the modules of each package themselves, without what they import."""
    totals = [_imported(compiled) for _ in range(rounds)]
    medians = {name: median(total[name] for total in totals) for name in set().union(*totals)}
    largest = sorted(medians.items(), key=lambda item: -item[1])[:_SHOWN]
    return [{"run": name, "milliseconds": round(time / 1_000, 1)} for name, time in largest]


def _imported(compiled: str) -> Counter[str]:
    total: Counter[str] = Counter()
    told = _run(compiled, "-X", "importtime", "-c", _LOADED)
    for microseconds, module in _LINE.findall(told):
        parts = module.split(".")
        total[".".join(parts[: _DEPTHS.get(parts[0], 1)])] += int(microseconds)
    return total


def _row(name: str, seconds: Sequence[float]) -> dict[str, Any]:
    milliseconds = [value * 1_000 for value in seconds]
    return {
        "run": name,
        "milliseconds": round(median(milliseconds)),
        "least": round(min(milliseconds)),
        "most": round(max(milliseconds)),
    }


def _plot(rows: Sequence[dict[str, Any]]) -> Plot:
    return Plot(
        title="What a cold start consists of",
        unit="milliseconds",
        places=[row["run"] for row in rows],
        series={"in the modules themselves": [row["milliseconds"] for row in rows]},
    )
