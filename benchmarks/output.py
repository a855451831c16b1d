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

JsonOption = Annotated[
    Path | None, typer.Option("--json", help="Write the figures to this file as JSON.")
]


def show(title: str, runs: Sequence[dict[str, Any]], json_file: Path | None) -> None:
    """Print the figures of runs side by side; write them as JSON where that is asked for.

    Args:
        title: What was measured.
        runs: Figures by name, the same names in each; "run" says which run it is.
        json_file: Where to write them.
    """
    table = Table(title=title, title_justify="left", box=None, padding=(0, 2))
    table.add_column("")
    for run in runs:
        table.add_column(str(run["run"]), justify="right")
    for name in runs[0]:
        if name != "run":
            table.add_row(name.replace("_", " "), *(_text(run[name]) for run in runs))
    Console().print(table)
    if json_file is not None:
        json_file.write_text(json.dumps(runs, indent=2) + "\n", encoding="utf-8")


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,}" if isinstance(value, (int, float)) else str(value)
