"""`python -m benchmarks lag`: from a command's answer to the derived event in the store."""

from __future__ import annotations

import asyncio
import json
import tempfile
import time
from pathlib import Path
from statistics import median, quantiles
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

import benchmarks.timed
from benchmarks.cosmos import unthrottled
from benchmarks.output import JsonOption, save, show
from benchmarks.plots import Plot
from local.harness.client import ApplicationClient
from local.harness.cluster import FUNCTION_KEY, Cluster
from local.harness.follows import POLBLOGS, read_follows
from local.harness.lag import wait_until_caught_up
from local.harness.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from local.harness.follows import Follow
    from local.harness.progress import Advance

_APP = Path(benchmarks.timed.__file__).parent
_IN_FLIGHT = 100


def lag(
    rate: Annotated[int, typer.Option(min=1, help="Commands a second.")] = 200,
    seconds: Annotated[int, typer.Option(min=1, help="How long they are sent.")] = 60,
    json_file: JsonOption = None,
) -> None:
    """Send commands at a steady rate, and see when what follows from them is stored."""
    follows = [follow for follow in read_follows(POLBLOGS) if not follow.is_self_follow]
    distinct = list(dict.fromkeys(follows))[: rate * seconds]
    rows = asyncio.run(_measure(distinct, rate))
    show(f"Milliseconds at {rate} commands a second, {len(distinct):,} commands", rows)
    save(rows, json_file, _plot(rows))


async def _measure(follows: Sequence[Follow], rate: int) -> list[dict[str, Any]]:
    progress = Progress(Console())
    with tempfile.TemporaryDirectory(prefix="lag-") as folder:
        notes = Path(folder) / "notes.jsonl"
        options = unthrottled(folder, _APP, TIMED_NOTES=str(notes))
        async with (
            Cluster(options) as cluster,
            ApplicationClient(cluster.urls, FUNCTION_KEY, _IN_FLIGHT) as client,
        ):
            with progress.bar("Following", len(follows)) as advance:
                accepted = await cluster.run_monitored(_follow_all(client, follows, rate, advance))
            await cluster.run_monitored(wait_until_caught_up(client, progress))
        lines = [json.loads(line) for line in notes.read_text(encoding="utf-8").splitlines()]
    return _rows(accepted, {line["event"]: line for line in lines})


async def _follow_all(
    client: ApplicationClient, follows: Sequence[Follow], rate: int, advance: Advance
) -> dict[str, tuple[float, float]]:
    """When each event's command was sent and accepted; sent on time, however long others take."""
    accepted: dict[str, tuple[float, float]] = {}

    async def follow(pair: Follow) -> None:
        sent = time.time()
        (event,) = await client.follow(pair)
        accepted[event] = sent, time.time()
        advance()

    begun, tasks = time.monotonic(), []
    for nth, pair in enumerate(follows):
        await asyncio.sleep(max(0.0, begun + nth / rate - time.monotonic()))
        tasks.append(asyncio.create_task(follow(pair)))
    await asyncio.gather(*tasks)
    return accepted


def _rows(
    accepted: Mapping[str, tuple[float, float]], notes: Mapping[str, Mapping[str, float]]
) -> list[dict[str, Any]]:
    if missing := accepted.keys() - notes.keys():
        raise RuntimeError(f"{len(missing)} of {len(accepted)} commands have no derived event.")
    times = [(*accepted[event], notes[event]) for event in accepted]
    return [
        _row("command, sent to accepted", [done - sent for sent, done, _ in times]),
        _row("accepted to follower stored", [note["written"] - done for _, done, note in times]),
        _row("of it, until the feed delivers", [note["handed"] - done for _, done, note in times]),
        _row("of it, projecting", [note["derived"] - note["handed"] for *_, note in times]),
        _row("of it, writing", [note["written"] - note["derived"] for *_, note in times]),
    ]


def _row(name: str, seconds: Sequence[float]) -> dict[str, Any]:
    milliseconds = [value * 1_000 for value in seconds]
    return {
        "run": name,
        "p50": round(median(milliseconds), 1),
        "p99": round(quantiles(milliseconds, n=100, method="inclusive")[98], 1),
        "most": round(max(milliseconds), 1),
    }


def _plot(rows: Sequence[dict[str, Any]]) -> Plot:
    return Plot(
        title="From a command to its derived event",
        unit="milliseconds",
        places=[row["run"] for row in rows],
        series={name: [row[name] for row in rows] for name in ("p50", "p99")},
    )
