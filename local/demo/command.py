"""The command `python -m local demo`."""

from __future__ import annotations

import asyncio
import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from local.demo.scenario import Disruptions, run_demo, run_demo_on_app
from local.harness.client import ApplicationError
from local.harness.cluster import Cluster, ClusterOptions
from local.harness.follows import POLBLOGS, Follow, FollowFileError, read_follows
from local.harness.processes import ProcessError
from local.harness.progress import Progress
from local.signals import cancel_on_signals

if TYPE_CHECKING:
    from local.demo.report import ClientReport


def demo(  # noqa: PLR0917 - one parameter for each option
    follows: Annotated[
        Path, typer.Option(help="File of a follow graph with lines `A B`, plain or gzip.")
    ] = POLBLOGS,
    limit: Annotated[int | None, typer.Option(min=1, help="Maximum number of follows.")] = None,
    partitions: Annotated[
        int, typer.Option(min=1, max=64, help="Number of physical partitions.")
    ] = 4,
    throughput: Annotated[
        int, typer.Option(min=1, help="RU/s of each container, over all partitions.")
    ] = 100_000,
    replica_lag: Annotated[
        int, typer.Option(min=0, help="Milliseconds by which reads without a session token lag.")
    ] = 0,
    kills: Annotated[
        int, typer.Option(min=0, help="Number of times that the host is killed (SIGKILL).")
    ] = 0,
    splits: Annotated[
        int, typer.Option(min=0, help="Number of times that a physical partition is split.")
    ] = 0,
    url: Annotated[
        str | None,
        typer.Option(help="URL of an application that runs already and has no events, to be used."),
    ] = None,
    function_key: Annotated[str, typer.Option(help="Function key of the application at --url.")] = (
        "local"
    ),
    json_file: Annotated[
        Path | None, typer.Option("--json", help="File for the report as JSON.")
    ] = None,
) -> None:
    """Send a real follow graph as commands, wait for the projections, and check every user.

    The exit code is 1 if a user does not match the graph.
    """
    console = Console()
    try:
        graph = read_follows(follows, limit)
        if url is not None:
            report = asyncio.run(_run_on_app(url, function_key, graph, console))
        else:
            with tempfile.TemporaryDirectory(prefix="demo-") as folder:
                options = ClusterOptions(
                    partitions=partitions,
                    throughput=throughput,
                    replica_lag=replica_lag,
                    folder=Path(folder),
                )
                disruptions = Disruptions(kills=kills, splits=splits)
                report = asyncio.run(_run_on_cluster(options, graph, disruptions, console))
    except (FollowFileError, ProcessError, ApplicationError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from None
    except asyncio.CancelledError:
        console.print("Stopped.")
        raise typer.Exit(130) from None
    report.show(console)
    if json_file is not None:
        json_file.write_text(json.dumps(report.to_dict(), indent=2) + "\n", encoding="utf-8")
    if not report.is_exact:
        raise typer.Exit(1)


async def _run_on_app(
    url: str, function_key: str, follows: list[Follow], console: Console
) -> ClientReport:
    cancel_on_signals()
    return await run_demo_on_app(url, function_key, follows, Progress(console))


async def _run_on_cluster(
    options: ClusterOptions, follows: list[Follow], disruptions: Disruptions, console: Console
) -> ClientReport:
    cancel_on_signals()
    console.print(
        f"{len(follows):,} follows; embedded Cosmos DB with {options.partitions} physical "
        f"partitions and {options.throughput:,} RU/s for each container."
    )
    async with Cluster(options) as cluster:
        work = run_demo(cluster, follows, disruptions, Progress(console))
        return await cluster.run_monitored(work)
