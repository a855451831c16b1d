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
from local.harness.cluster import DATABASE, FUNCTION_KEY, NAMES, Cluster
from local.harness.follows import POLBLOGS, read_follows
from local.harness.lag import wait_until_caught_up
from local.harness.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from local.harness.follows import Follow
    from local.harness.progress import Advance

_APP = Path(benchmarks.timed.__file__).parent
_IN_FLIGHT = 100
_POLL_DELAYS = (100, 250, 500, 1_000)
_IDLE_SECONDS, _SECONDS_OF_AN_HOUR = 10.0, 3_600

_Event = tuple[str, ...]
"""The stream and the id of an event."""


def lag(
    rate: Annotated[int, typer.Option(min=1, help="Commands a second.")] = 200,
    seconds: Annotated[int, typer.Option(min=1, help="How long they are sent.")] = 60,
    poll_delay: Annotated[
        list[int] | None, typer.Option(min=1, help="A poll delay in milliseconds; repeatable.")
    ] = None,
    json_file: JsonOption = None,
) -> None:
    """Send commands at a steady rate, and see when what follows from them is stored.

    For each poll delay; those that are compared unless others are named are 100 to 1,000 ms.
    """
    follows = [follow for follow in read_follows(POLBLOGS) if not follow.is_self_follow]
    distinct = list(dict.fromkeys(follows))[: rate * seconds]
    rows = []
    for delay in poll_delay or _POLL_DELAYS:
        rows += asyncio.run(_measure(distinct, rate, delay))
    show(f"Milliseconds at {rate} commands a second, {len(distinct):,} commands", rows)
    save(rows, json_file, _plot(rows))


async def _measure(follows: Sequence[Follow], rate: int, delay: int) -> list[dict[str, Any]]:
    progress = Progress(Console())
    with tempfile.TemporaryDirectory(prefix="lag-") as folder:
        notes = Path(folder) / "notes.jsonl"
        settings = {"TIMED_NOTES": str(notes), "FeedPollDelayMilliseconds": str(delay)}
        options = unthrottled(folder, _APP, **settings)
        async with (
            Cluster(options) as cluster,
            ApplicationClient(cluster.urls, FUNCTION_KEY, _IN_FLIGHT) as client,
        ):
            with progress.bar(f"Following, {delay} ms", len(follows)) as advance:
                accepted = await cluster.run_monitored(_follow_all(client, follows, rate, advance))
            await cluster.run_monitored(wait_until_caught_up(client, progress))
            cost = await _poll_cost(cluster) / options.partitions
        lines = [json.loads(line) for line in notes.read_text(encoding="utf-8").splitlines()]
    rows = _rows(accepted, {tuple(line["event"]): line for line in lines})
    return [
        {"run": f"{delay} ms: {name}", **row, "polls_ru_an_hour": round(cost)}
        for name, row in rows.items()
    ]


async def _poll_cost(cluster: Cluster) -> float:
    """Return the request units an hour that polls cost while there is nothing to do."""
    before, begun = await _event_charge(cluster), time.monotonic()
    await asyncio.sleep(_IDLE_SECONDS)
    charge = await _event_charge(cluster) - before
    return charge / (time.monotonic() - begun) * _SECONDS_OF_AN_HOUR


async def _event_charge(cluster: Cluster) -> float:
    containers = (await cluster.statistics())["containers"]
    return float(containers[f"{DATABASE}/{NAMES['EventsContainer']}"]["requestCharge"])


async def _follow_all(
    client: ApplicationClient, follows: Sequence[Follow], rate: int, advance: Advance
) -> dict[_Event, tuple[float, float]]:
    """When each event's command was sent and accepted; sent on time, however long others take."""
    accepted: dict[_Event, tuple[float, float]] = {}

    async def follow(pair: Follow) -> None:
        sent = time.time()
        (event,) = await client.follow(pair)
        accepted[f"followship-{pair.follower}", event] = sent, time.time()
        advance()

    begun, tasks = time.monotonic(), []
    for nth, pair in enumerate(follows):
        await asyncio.sleep(max(0.0, begun + nth / rate - time.monotonic()))
        tasks.append(asyncio.create_task(follow(pair)))
    await asyncio.gather(*tasks)
    return accepted


def _rows(
    accepted: Mapping[_Event, tuple[float, float]], notes: Mapping[_Event, Mapping[str, float]]
) -> dict[str, dict[str, float]]:
    """Return the figures of each part of the lag."""
    if missing := accepted.keys() - notes.keys():
        raise RuntimeError(f"{len(missing)} of {len(accepted)} commands have no derived event.")
    times = [(*accepted[event], notes[event]) for event in accepted]
    return {
        "command, sent to accepted": _row([done - sent for sent, done, _ in times]),
        "accepted to follower stored": _row([note["written"] - done for _, done, note in times]),
        "of it, until the feed delivers": _row([note["handed"] - done for _, done, note in times]),
        "of it, projecting": _row([note["derived"] - note["handed"] for *_, note in times]),
        "of it, writing": _row([note["written"] - note["derived"] for *_, note in times]),
    }


def _row(seconds: Sequence[float]) -> dict[str, float]:
    milliseconds = [value * 1_000 for value in seconds]
    return {
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
