"""How figures are shown: a table for people, or JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Sequence

_SIDE_BY_SIDE = 4

JsonOption = Annotated[
    Path | None, typer.Option("--json", help="Write the figures to this file as JSON.")
]


def show(title: str, runs: Sequence[dict[str, Any]], json_file: Path | None) -> None:
    """Print the figures of runs, a few of them side by side; write them as JSON if asked to.

    Args:
        title: What was measured.
        runs: Figures by name, the same names in each; "run" says which run it is.
        json_file: Where to write them.
    """
    table = Table(title=title, title_justify="left", box=None, padding=(0, 2))
    names = [name for name in runs[0] if name != "run"]
    if len(runs) > _SIDE_BY_SIDE:
        rows = [(str(run["run"]), *(_text(run[name]) for name in names)) for run in runs]
        headings = [_words(name) for name in names]
    else:
        rows = [(_words(name), *(_text(run[name]) for run in runs)) for name in names]
        headings = [str(run["run"]) for run in runs]
    table.add_column("")
    for heading in headings:
        table.add_column(heading, justify="right")
    for row in rows:
        table.add_row(*row)
    Console().print(table)
    if json_file is not None:
        json_file.write_text(json.dumps(runs, indent=2) + "\n", encoding="utf-8")


def _words(name: str) -> str:
    return name.replace("_", " ")


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,}" if isinstance(value, (int, float)) else str(value)
