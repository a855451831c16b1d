"""`python -m benchmarks commands`: what appending costs, beside the engine of another commit."""

from __future__ import annotations

import asyncio
import io
import json
import os
import subprocess
import sys
import tarfile
import tempfile
from itertools import product
from pathlib import Path
from statistics import median
from typing import Annotated, Any

import typer

from benchmarks.cosmos import account
from benchmarks.output import JsonOption, save, show

_ROOT = Path(__file__).parents[1]
_COMMANDER = Path(__file__).with_name("commander.py")

BEFORE = "76506b4"
"""The last commit whose streams have no positions."""


def commands(
    count: Annotated[int, typer.Option(min=10, help="Commands in a run.")] = 1_000,
    rounds: Annotated[int, typer.Option(min=1, help="Runs of each, in turn.")] = 5,
    before: Annotated[str, typer.Option(help="The commit to compare with.")] = BEFORE,
    json_file: JsonOption = None,
) -> None:
    """Append to one stream or to new ones, with keys or not, through one host or three.

    Request units are those of the embedded Cosmos DB, whose model is written down in
    local/cosmos/charges.py.
    """
    rows = asyncio.run(_measure(count, rounds, before))
    show(f"{count:,} commands of one event, {rounds} rounds, medians", rows)
    save(rows, json_file)


async def _measure(count: int, rounds: int, before: str) -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory(prefix="commands-") as folder:
        _extract(before, folder)
        return [
            await _row(count, rounds, folder, hot=hot, keyed=keyed, hosts=hosts)
            for hot, keyed, hosts in product([False, True], [False, True], [1, 3])
        ]


def _extract(commit: str, folder: str) -> None:
    """Write the engine and the example of a commit into a folder."""
    archive = subprocess.run(  # noqa: S603 - a fixed command
        ["git", "archive", commit, "core", "examples"],  # noqa: S607 - found on the path
        cwd=_ROOT,
        capture_output=True,
        check=True,
    )
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as files:
        files.extractall(folder, filter="data")


async def _row(count: int, rounds: int, folder: str, **options: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    runs: dict[str, list[dict[str, float]]] = {folder: [], str(_ROOT): []}
    async with account() as (environ, _):
        given = {**options, "commands": count, "connection": environ["CosmosConnection"]}
        for _ in range(rounds):
            for tree, results in runs.items():
                results.append(await _once(tree, given))
    before, now = ([run["seconds"] / count for run in results] for results in runs.values())
    charges = [median(run["request_units"] for run in results) / count for results in runs.values()]
    return {
        "run": _name(**options),
        "commands_a_second": round(1 / median(now)),
        "of_before": round(median(before) / median(now), 2),
        "request_units": round(charges[1], 2),
        "request_units_before": round(charges[0], 2),
    }


async def _once(tree: str, options: dict[str, Any]) -> dict[str, float]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, str(_COMMANDER), json.dumps(options)),
        cwd=tree,
        env={**os.environ, "PYTHONPATH": tree},
        stdout=subprocess.PIPE,
    )
    output, _ = await process.communicate()
    if process.returncode:
        raise RuntimeError(f"The commands failed, with the engine in {tree}.")
    result: dict[str, float] = json.loads(output)
    return result


def _name(*, hot: bool, keyed: bool, hosts: int) -> str:
    parts = [
        "one stream" if hot else "new streams",
        *(["keys"] if keyed else []),
        "1 host" if hosts == 1 else f"{hosts} hosts",
    ]
    return ", ".join(parts)
