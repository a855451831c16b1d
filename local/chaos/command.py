"""The command `python -m local chaos`."""

from __future__ import annotations

import asyncio
import json
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from local.chaos.experiment import Experiment, run_experiment
from local.chaos.schedule import clock_skews
from local.harness.client import ApplicationError
from local.harness.cluster import Cluster, ClusterOptions
from local.harness.follows import POLBLOGS, FollowFileError, read_follows
from local.harness.processes import ProcessError
from local.harness.progress import Progress
from local.signals import cancel_on_signals

if TYPE_CHECKING:
    from local.chaos.report import ChaosReport

_APP = Path(__file__).parent / "app"
_PAIRS_PER_SECOND = 45


def chaos(  # noqa: PLR0917 - one parameter for each option
    seed: Annotated[
        int, typer.Option(help="Random seed. The same seed repeats the same faults.")
    ] = 1,
    minutes: Annotated[float, typer.Option(min=0.05, help="Minutes of load and faults.")] = 3.0,
    follows: Annotated[
        Path, typer.Option(help="File of a follow graph with lines `A B`, plain or gzip.")
    ] = POLBLOGS,
    partitions: Annotated[
        int, typer.Option(min=1, max=64, help="Number of physical partitions.")
    ] = 4,
    hosts: Annotated[int, typer.Option(min=1, max=8, help="Number of Functions hosts.")] = 2,
    replica_lag: Annotated[
        int, typer.Option(min=0, help="Milliseconds by which reads without a session token lag.")
    ] = 500,
    clock_skew: Annotated[
        float, typer.Option(min=0, help="Seconds by which clocks of hosts are wrong at most.")
    ] = 600.0,
    invocation_timeout: Annotated[
        float, typer.Option(min=0.1, help="Seconds after which an invocation ends.")
    ] = 2.0,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="File for the report as JSON.")
    ] = None,
) -> None:
    """Send load while requests fail, hosts and the database are killed, and partitions split.

    The clocks of the hosts are wrong and step, reads lag, and invocations end early. Some events
    cannot be projected. They must be parked, and replayed once fixed code is deployed. In the end,
    every user is compared with the accepted commands, and the events of every stream are checked:
    position, time, order and origin. The exit code is 1 if anything is wrong; logs and data are
    kept then.
    """
    console = Console()
    folder = Path(tempfile.mkdtemp(prefix="chaos-"))
    try:
        graph = read_follows(follows, int(minutes * 60 * _PAIRS_PER_SECOND))
        experiment = Experiment(seed=seed, seconds=minutes * 60, follows=graph, max_skew=clock_skew)
        options = ClusterOptions(
            partitions=partitions,
            throughput=100_000,
            replica_lag=replica_lag,
            folder=folder,
            hosts=hosts,
            app=_APP,
            environ={"InvocationTimeoutSeconds": str(invocation_timeout)},
            clock_skews=clock_skews(seed, hosts, clock_skew),
        )
        report = asyncio.run(_run_on_cluster(options, experiment, console))
    except (FollowFileError, ProcessError, ApplicationError) as error:
        typer.echo(f"Seed {seed}: {error}\nLogs and data: {folder}", err=True)
        raise typer.Exit(1) from None
    except asyncio.CancelledError:
        shutil.rmtree(folder)
        console.print("Stopped.")
        raise typer.Exit(130) from None
    report.show(console)
    if json_file is not None:
        json_file.write_text(json.dumps(report.to_dict(), indent=2) + "\n", encoding="utf-8")
    if not report.is_exact:
        typer.echo(f"Logs and data: {folder}", err=True)
        raise typer.Exit(1)
    shutil.rmtree(folder)


async def _run_on_cluster(
    options: ClusterOptions, experiment: Experiment, console: Console
) -> ChaosReport:
    cancel_on_signals()
    console.print(
        f"Seed {experiment.seed}: {len(experiment.follows):,} pairs of users within "
        f"{experiment.seconds:,.0f} s, {options.hosts} hosts, "
        f"{options.partitions} physical partitions."
    )
    async with Cluster(options) as cluster:
        return await cluster.run_monitored(run_experiment(cluster, experiment, Progress(console)))
