"""How figures are shown: a table for people, JSON, and a plot."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.plots import Plot

_SIDE_BY_SIDE = 4
_WIDTH = 120
"""Columns of what is not shown on a terminal."""

JsonOption = Annotated[
    Path | None,
    typer.Option("--json", help="Write the figures to this file as JSON, and a plot beside it."),
]


def show(title: str, runs: Sequence[dict[str, Any]]) -> None:
    """Print the figures of runs, a few of them side by side.

    Args:
        title: What was measured.
        runs: Figures by name, the same names in each; "run" says which run it is.
    """
    table = Table(title=title, title_justify="left", box=None, padding=(0, 2))
    names = [name for name in runs[0] if name != "run"]
    if len(runs) > _SIDE_BY_SIDE:
        rows = [(str(run["run"]), *(_text(run[name]) for name in names)) for run in runs]
        headings = [_words(name) for name in names]
    else:
        rows = [(_words(name), *(_text(run[name]) for run in runs)) for name in names]
        headings = [str(run["run"]) for run in runs]
    table.add_column("", no_wrap=True)
    for heading in headings:
        table.add_column(heading, justify="right")
    for row in rows:
        table.add_row(*row)
    Console(width=None if sys.stdout.isatty() else _WIDTH).print(table)


def save(figures: object, json_file: Path | None, plot: Plot | None = None) -> None:
    """Write figures as JSON if asked to, and the plot beside it."""
    if json_file is None:
        return
    json_file.parent.mkdir(parents=True, exist_ok=True)
    json_file.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    if plot is not None:
        plot.save(json_file.with_suffix(".svg"))


def spread(name: str, values: Sequence[float], digits: int = 1) -> dict[str, float]:
    """The median under its name, with the least and the most."""
    row = {name: median(values), "least": min(values), "most": max(values)}
    return {key: round(value, digits) for key, value in row.items()}


def _words(name: str) -> str:
    return name.replace("_", " ")


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,}" if isinstance(value, (int, float)) else str(value)
