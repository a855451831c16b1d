"""`python -m benchmarks scaling`: more physical partitions, and more hosts."""

from __future__ import annotations

import asyncio
import json
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from benchmarks.events import followed
from benchmarks.output import JsonOption, save, show
from benchmarks.peers import write
from benchmarks.plots import Plot
from benchmarks.workloads import spread
from core.cosmos.client import open_client
from core.cosmos.provisioning import provision
from core.model.documents import Cause
from core.settings import CONNECTION_SETTING, Settings
from core.writing.writes import Write
from local.cosmos import WELL_KNOWN_KEY
from local.harness.cluster import DATABASE, NAMES, Cluster, ClusterOptions

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_PARTITIONS = (1, 4, 16, 32)
_HOSTS = (1, 2, 4, 8)
_EACH = 1_000
"""RU/s of a physical partition."""

_CHARGE = 5.9
"""Request units of a derived event, as the embedded Cosmos DB counts them."""

_POLL = 0.1
_COUNTED = (0.5, 0.9)
"""The part of all derived events over which time is taken: without the start and the end."""


def scaling(
    seconds: Annotated[float, typer.Option(min=1, help="Work that there is, at full rate.")] = 20.0,
    partitions: Annotated[list[int] | None, typer.Option(help="How many; several times.")] = None,
    hosts: Annotated[list[int] | None, typer.Option(help="How many; several times.")] = None,
    json_file: JsonOption = None,
) -> None:
    """Project a backlog where each physical partition takes 1,000 RU/s.

    All processes share the cores of this machine, which ends the growth sooner than Azure would.
    """
    rows = [
        asyncio.run(_measure(several, many, seconds))
        for several in partitions or _PARTITIONS
        for many in hosts or _HOSTS
    ]
    show("Derived events a second, of what the request units allow", rows)
    save(rows, json_file, _plot(rows))


async def _measure(partitions: int, hosts: int, seconds: float) -> dict[str, Any]:
    allowed = partitions * _EACH / _CHARGE
    count = int(allowed * seconds)
    with tempfile.TemporaryDirectory(prefix="scaling-") as folder:
        options = ClusterOptions(
            partitions=partitions,
            throughput=partitions * _EACH,
            folder=Path(folder),
            hosts=hosts,
            prepare=partial(_store, count=count),
        )
        async with Cluster(options) as cluster:
            rate = await cluster.run_monitored(_rate(cluster, count))
            busy = [host.cpu_seconds for host in cluster.hosts]
    return {
        "run": f"{partitions} partitions, {hosts} hosts",
        "derived_a_second": round(rate),
        "of_allowed": round(rate / allowed, 2),
        "hosts_at_work": sum(seconds > max(busy) / 4 for seconds in busy),
        "host_cpu_seconds": round(sum(busy), 1),
    }


async def _store(endpoint: str, count: int) -> None:
    """Source events, before there is a host."""
    account = {CONNECTION_SETTING: f"AccountEndpoint={endpoint};AccountKey={WELL_KNOWN_KEY};"}
    settings = Settings.from_environ({**NAMES, **account})
    async with open_client(settings.require_connection()) as client:
        await provision(client, settings)
        events = client.get_database_client(settings.database).get_container_client(
            settings.events_container
        )
        await write(events, list(_sources(count)))


def _sources(count: int) -> Iterator[Write]:
    for nth, follow in enumerate(spread(count)):
        document = followed(nth, follow)
        body = json.dumps(document).encode()
        yield Write(document["streamId"], document["id"], body, Cause(None, None, None, ""))


async def _rate(cluster: Cluster, count: int) -> float:
    """Derived events a second, over the middle of the work."""
    loop = asyncio.get_running_loop()
    bounds, times = [count + part * count for part in _COUNTED], list[tuple[float, int]]()
    while len(times) < len(bounds):
        counted = (await cluster.statistics())["containers"][f"{DATABASE}/events"]["documents"]
        if counted >= bounds[len(times)]:
            times.append((loop.time(), counted))
        await asyncio.sleep(_POLL)
    (begun, first), (ended, last) = times
    return (last - first) / (ended - begun)


def _plot(rows: Sequence[dict[str, Any]]) -> Plot:
    places = list(dict.fromkeys(str(row["run"]).partition(", ")[0] for row in rows))
    several = list(dict.fromkeys(str(row["run"]).partition(", ")[2] for row in rows))
    rates = {row["run"]: row["derived_a_second"] for row in rows}
    return Plot(
        title="Derived events a second, each partition with 1,000 RU/s",
        unit="events a second",
        places=places,
        series={many: [rates.get(f"{place}, {many}") for place in places] for many in several},
    )
