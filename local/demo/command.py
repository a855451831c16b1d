"""`python -m local demo`."""

from __future__ import annotations

import asyncio
import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from local.demo.play import Mishaps, play
from local.demo.running import App, RunningReport, play_on
from local.harness.client import ApplicationError
from local.harness.cluster import Cluster, ClusterOptions
from local.harness.follows import POLBLOGS, Follow, FollowFileError, read_follows
from local.harness.processes import ProcessError
from local.harness.progress import Progress
from local.signals import cancel_on_signals

if TYPE_CHECKING:
    from local.demo.report import Report


def demo(  # noqa: PLR0917 - one parameter for each option
    follows: Annotated[Path, typer.Option(help="Follow graph: lines `A B`; .gz too.")] = POLBLOGS,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first N follows.")] = None,
    partitions: Annotated[int, typer.Option(min=1, max=64, help="Physical partitions.")] = 4,
    throughput: Annotated[
        int, typer.Option(min=1, help="RU/s of each container, over all partitions.")
    ] = 100_000,
    replica_lag: Annotated[
        int, typer.Option(min=0, help="Milliseconds by which reads without a session token lag.")
    ] = 0,
    kills: Annotated[int, typer.Option(min=0, help="SIGKILL the host so often on the way.")] = 0,
    splits: Annotated[int, typer.Option(min=0, help="Split a partition so often.")] = 0,
    url: Annotated[
        str | None, typer.Option(help="URL of a running app without events, to use instead.")
    ] = None,
    function_key: Annotated[str, typer.Option(help="Key that the functions of --url ask for.")] = (
        "local"
    ),
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write the figures to this file as JSON.")
    ] = None,
) -> None:
    """Replay a real follow graph, let it be projected, and check every user.

    Exits with 1 if one user differs from the graph.
    """
    console = Console()
    try:
        graph = read_follows(follows, limit)
        if url is not None:
            running = App(url=url, function_key=function_key)
            _finish(asyncio.run(_play_on(running, graph, console)), console, json_file)
            return
        with tempfile.TemporaryDirectory(prefix="demo-") as folder:
            setup = ClusterOptions(
                partitions=partitions,
                throughput=throughput,
                replica_lag=replica_lag,
                folder=Path(folder),
            )
            report = _play(graph, setup, Mishaps(kills=kills, splits=splits), console)
    except (FollowFileError, ProcessError, ApplicationError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from None
    except asyncio.CancelledError:
        console.print("Stopped.")
        raise typer.Exit(130) from None
    _finish(report, console, json_file)


def _finish(report: Report | RunningReport, console: Console, json_file: Path | None) -> None:
    report.show(console)
    if json_file is not None:
        json_file.write_text(json.dumps(report.as_json(), indent=2) + "\n", encoding="utf-8")
    if not report.exact:
        raise typer.Exit(1)


async def _play_on(app: App, follows: list[Follow], console: Console) -> RunningReport:
    cancel_on_signals()
    return await play_on(app, follows, Progress(console))


def _play(
    follows: list[Follow], setup: ClusterOptions, mishaps: Mishaps, console: Console
) -> Report:
    console.print(
        f"{len(follows):,} follows; embedded Cosmos DB with {setup.partitions} physical partitions "
        f"and {setup.throughput:,} RU/s for each container."
    )

    async def on_stage() -> Report:
        cancel_on_signals()
        async with Cluster(setup) as cluster:
            return await cluster.run_monitored(play(cluster, follows, Progress(console), mishaps))

    return asyncio.run(on_stage())
