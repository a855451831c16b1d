"""`python -m benchmarks`: everything, one after the other, with the figures in a folder."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer

_ROOT = Path(__file__).parents[1]
_RESULTS = Path(__file__).parent / "results"
_COMMANDS = (
    *("engine", "growth", "start", "commands", "lag", "layout", "writing"),
    *("throttled", "scaling", "poison", "reading", "redelivery", "fanout"),
)
_NAMED = ("azure-cosmos", "aiohttp", "pydantic", "azure-functions", "tenacity")


def run_all(
    context: typer.Context,
    results: Annotated[
        Path, typer.Option(help="Folder for tables, JSON and plots.", resolve_path=True)
    ] = _RESULTS,
) -> None:
    """What is measured, each command by itself; without one, all of them (90 minutes)."""
    if context.invoked_subcommand is not None:
        return
    results.mkdir(parents=True, exist_ok=True)
    (results / "machine.json").write_text(json.dumps(_machine(), indent=2) + "\n", encoding="utf-8")
    failed = [name for name in _COMMANDS if not _succeeds(name, results)]
    typer.echo(f"The figures are in {results}.")
    if failed:
        typer.echo(f"Failed: {', '.join(failed)}.", err=True)
        raise typer.Exit(1)


def _succeeds(name: str, results: Path) -> bool:
    """Run one; what it prints is shown, and kept beside its figures."""
    command = (sys.executable, "-m", "benchmarks", name, "--json", str(results / f"{name}.json"))
    with (
        subprocess.Popen(  # noqa: S603 - our own commands
            command, cwd=_ROOT, stdout=subprocess.PIPE, text=True, encoding="utf-8"
        ) as process,
        (results / f"{name}.txt").open("w", encoding="utf-8") as kept,
    ):
        for line in process.stdout or ():
            sys.stdout.write(line)
            sys.stdout.flush()
            kept.write(line)
    return process.returncode == 0


def _machine() -> dict[str, object]:
    node = shutil.which("node")
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "cores": os.cpu_count(),
        "node": node
        and subprocess.run(  # noqa: S603 - a fixed command
            [node, "--version"], capture_output=True, text=True, check=True
        ).stdout.strip(),
        "packages": {name: version(name) for name in _NAMED},
    }
