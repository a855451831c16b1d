"""`python -m local chaos`."""

from __future__ import annotations

import asyncio
import json
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from local.chaos.play import Script, play
from local.harness.client import ApplicationError
from local.harness.cluster import Cluster, ClusterOptions
from local.harness.follows import POLBLOGS, FollowFileError, read_follows
from local.harness.processes import ProcessError
from local.harness.progress import Progress
from local.signals import cancel_on_signals

if TYPE_CHECKING:
    from local.chaos.report import Report

_APP = Path(__file__).parent / "app"
_FOLLOWS_A_SECOND = 60


def chaos(  # noqa: PLR0917 - one parameter for each option
    seed: Annotated[int, typer.Option(help="Everything that goes wrong follows from it.")] = 1,
    minutes: Annotated[float, typer.Option(min=0.05, help="How long it goes wrong.")] = 3.0,
    follows: Annotated[Path, typer.Option(help="Follow graph: lines `A B`; .gz too.")] = POLBLOGS,
    partitions: Annotated[int, typer.Option(min=1, max=64, help="Physical partitions.")] = 4,
    hosts: Annotated[int, typer.Option(min=1, max=8, help="Hosts that share the work.")] = 2,
    replica_lag: Annotated[
        int, typer.Option(min=0, help="Milliseconds by which reads without a session token lag.")
    ] = 0,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write the figures to this file as JSON.")
    ] = None,
) -> None:
    """Load with faults, kills, restarts and splits all together, then check every user.

    Poison events are planted, parked, and replayed after the code was mended. Exits with 1 if
    anything is not as it should be, and keeps logs and data then.
    """
    console = Console()
    folder = Path(tempfile.mkdtemp(prefix="chaos-"))
    try:
        graph = read_follows(follows, int(minutes * 60 * _FOLLOWS_A_SECOND))
        script = Script(seed=seed, seconds=minutes * 60, follows=graph)
        setup = ClusterOptions(
            partitions=partitions,
            throughput=100_000,
            replica_lag=replica_lag,
            folder=folder,
            hosts=hosts,
            app=_APP,
        )
        report = asyncio.run(_on_stage(setup, script, console))
    except (FollowFileError, ProcessError, ApplicationError) as error:
        typer.echo(f"Seed {seed}: {error}\nLogs and data: {folder}", err=True)
        raise typer.Exit(1) from None
    except asyncio.CancelledError:
        shutil.rmtree(folder)
        console.print("Stopped.")
        raise typer.Exit(130) from None
    report.show(console)
    if json_file is not None:
        json_file.write_text(json.dumps(report.as_json(), indent=2) + "\n", encoding="utf-8")
    if not report.exact:
        typer.echo(f"Logs and data: {folder}", err=True)
        raise typer.Exit(1)
    shutil.rmtree(folder)


async def _on_stage(setup: ClusterOptions, script: Script, console: Console) -> Report:
    cancel_on_signals()
    console.print(
        f"Seed {script.seed}: {len(script.follows):,} follows within {script.seconds:,.0f} s, "
        f"{setup.hosts} hosts, {setup.partitions} physical partitions."
    )
    async with Cluster(setup) as cluster:
        return await cluster.run_monitored(play(cluster, script, Progress(console)))
