"""`python -m benchmarks fanout`: one event to a million, within a small budget."""

from __future__ import annotations

import asyncio
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from azure.cosmos.aio import CosmosClient
from rich.console import Console

from benchmarks.cosmos import unthrottled
from benchmarks.events import announced
from benchmarks.output import JsonOption, save, show
from local.cosmos import WELL_KNOWN_KEY
from local.harness.client import ApplicationClient
from local.harness.cluster import DATABASE, FUNCTION_KEY, Cluster
from local.harness.lag import wait_until_caught_up
from local.harness.progress import Progress

if TYPE_CHECKING:
    from azure.cosmos.aio import ContainerProxy

    from local.harness.progress import Advance

_UNINTERRUPTED = 86_400.0
_APP = Path(__file__).parent / "stations"


def fanout(
    events: Annotated[int, typer.Option(min=1, help="Derived events.")] = 1_000_000,
    times: Annotated[int, typer.Option(min=1, help="Derived events in each stream.")] = 100,
    budget: Annotated[float, typer.Option(min=1, help="Seconds of an invocation.")] = 10.0,
    kills: Annotated[int, typer.Option(min=0, help="SIGKILLs on the way of a third run.")] = 2,
    json_file: JsonOption = None,
) -> None:
    """Fan one event out: uninterrupted, within a budget, and with kills on top; all checked."""
    rows = [
        asyncio.run(_run("uninterrupted", events, times, _UNINTERRUPTED, 0)),
        asyncio.run(_run(f"budget of {budget:g} s", events, times, budget, 0)),
        asyncio.run(_run(f"budget of {budget:g} s, {kills} kills", events, times, budget, kills)),
    ]
    for row in rows:
        row["cpu_ratio"] = round(row["host_cpu_seconds"] / rows[0]["host_cpu_seconds"], 2)
        row["written_ratio"] = round(row["request_units"] / rows[0]["request_units"], 3)
    show(f"One event to {events:,} derived events", rows)
    save(rows, json_file)
    if not all(row["exact"] for row in rows):
        raise typer.Exit(1)


async def _run(name: str, events: int, times: int, budget: float, kills: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="fanout-") as folder:
        options = unthrottled(folder, _APP, InvocationTimeoutSeconds=str(budget))
        async with Cluster(options) as cluster:
            return await cluster.run_monitored(_fan_out(cluster, name, events, times, kills))


async def _fan_out(
    cluster: Cluster, name: str, events: int, times: int, kills: int
) -> dict[str, Any]:
    progress, listeners = Progress(Console()), events // times
    async with CosmosClient(cluster.endpoint, WELL_KNOWN_KEY) as sdk:
        container = sdk.get_database_client(DATABASE).get_container_client("events")
        begun = time.monotonic()
        await container.create_item(announced("a", listeners, times))
        cpu = 0.0
        with progress.bar(f"Fanning out, {name}", events) as advance:
            for nth in range(kills):
                await _until(cluster, events * (nth + 1) // (kills + 1), advance)
                cpu += cluster.hosts[0].cpu_seconds
                await cluster.kill_host()
            await _until(cluster, events + 1, advance)
        async with ApplicationClient(cluster.urls, FUNCTION_KEY, 1) as client:
            await wait_until_caught_up(client, progress)
        seconds = time.monotonic() - begun
        return {
            "run": name,
            "exact": await _exact(container, listeners, times),
            "seconds": round(seconds, 1),
            "events_a_second": round(events / seconds),
            "host_cpu_seconds": round(cpu + cluster.hosts[0].cpu_seconds, 1),
            "host_memory_mb": round(max(cluster.peaks[host.name] for host in cluster.hosts) / 1e6),
            "request_units": round((await cluster.statistics())["requestCharge"]),
        }


async def _until(cluster: Cluster, count: int, advance: Advance) -> None:
    """Return when so many documents are stored."""
    seen = await _stored(cluster)
    while seen < count:
        await asyncio.sleep(1)
        stored = await _stored(cluster)
        advance(stored - seen)
        seen = stored


async def _stored(cluster: Cluster) -> int:
    statistics = await cluster.statistics()
    return int(statistics["containers"][f"{DATABASE}/events"]["documents"])


async def _exact(container: ContainerProxy, listeners: int, times: int) -> bool:
    """Whether each listener heard it each time, once."""
    heard = bytearray(listeners * times)
    query = "SELECT c.data FROM c WHERE c.type = 'Heard'"
    async for document in container.query_items(query, max_item_count=1_000):
        place = document["data"]["listener"] * times + document["data"]["time"]
        heard[place] = min(heard[place] + 1, 2)
    return heard.count(1) == len(heard)
