"""A cluster: an embedded Cosmos DB and Functions hosts, each in a process of its own."""

from __future__ import annotations

import asyncio
import contextlib
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import aiohttp
from azure.cosmos.aio import CosmosClient

from local.cosmos import WELL_KNOWN_KEY
from local.harness.processes import Process, ProcessError, free_port
from local.harness.verification import StoredEvents
from local.host import CUT_OFF_MESSAGE

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence

    from typing_extensions import Self

ResultT = TypeVar("ResultT")

DATABASE = "projections"
FUNCTION_KEY = "demo"

NAMES = {
    "CosmosDatabase": DATABASE,
    "EventsContainer": "events",
    "LeasesContainer": "leases",
    "DeadLettersContainer": "deadletters",
}
"""The names that the hosts use, whatever the settings of this machine say."""

EXAMPLE = Path(__file__).parents[2] / "examples" / "followship"
"""The folder of the application that the demo and the benchmarks run."""

_MONITOR_SECONDS = 0.1
_CUT_OFF = re.compile(re.escape(CUT_OFF_MESSAGE).replace("%d", r"(\d+)"))
_LEASE_EXPIRATION_SECONDS = 5.0
"""The time until the leases of a killed host are taken over, which is 60 seconds in Azure."""


@dataclass(frozen=True, kw_only=True)
class ClusterOptions:
    """The options of a cluster.

    Attributes:
        partitions: The number of physical partitions of each container.
        throughput: The RU/s of each container.
        folder: The folder for logs and data.
        replica_lag: The milliseconds by which reads without a session token lag.
        hosts: The number of hosts.
        app: The folder of the application.
        environ: Environment variables of the hosts, in addition to those of this process.
        clock_skews: The seconds by which the clock of each host is wrong; none if all are right.
        prepare: A coroutine function that gets the account's endpoint before the hosts start.
    """

    partitions: int
    throughput: int
    folder: Path
    replica_lag: int = 0
    hosts: int = 1
    app: Path = EXAMPLE
    environ: Mapping[str, str] = field(default_factory=dict)
    clock_skews: Sequence[float] = ()
    prepare: Callable[[str], Awaitable[None]] | None = None


class Cluster:
    """Starts the processes, restarts hosts that end, and stops all; an async context manager.

    Attributes:
        endpoint: The endpoint of the embedded Cosmos DB.
        cosmos: The process of the embedded Cosmos DB.
        urls: The URLs of the hosts.
        hosts: The processes of the hosts.
        peaks: The peak memory of each process in bytes, by name.
    """

    def __init__(self, options: ClusterOptions) -> None:
        port = free_port()
        self.endpoint = f"http://127.0.0.1:{port}/"
        self.cosmos = Process(
            name="The embedded Cosmos DB",
            arguments=(
                *("cosmos", "--port", str(port)),
                *("--partitions", str(options.partitions)),
                *("--throughput", str(options.throughput)),
                *("--replica-lag", str(options.replica_lag)),
                *("--data", str(options.folder / "cosmos")),
            ),
            readiness_url=f"{self.endpoint}_local/statistics",
            log=options.folder / "cosmos.log",
        )
        ports = [free_port() for _ in range(options.hosts)]
        self.urls = [f"http://127.0.0.1:{port}" for port in ports]
        self.hosts = [self._host(options, nth, port) for nth, port in enumerate(ports, start=1)]
        for host, seconds in zip(self.hosts, options.clock_skews, strict=False):
            host.step_clock(seconds)
        self._prepare = options.prepare
        self._monitor: asyncio.Task[None] | None = None
        self.peaks: dict[str, int] = {}

    def _host(self, options: ClusterOptions, nth: int, port: int) -> Process:
        return Process(
            name=f"Functions host {nth}",
            arguments=(
                *("run", "--endpoint", self.endpoint, "--port", str(port)),
                *("--function-key", FUNCTION_KEY),
                *("--lease-expiration", str(_LEASE_EXPIRATION_SECONDS)),
                *("--app", str(options.app), "--quiet"),
            ),
            readiness_url=f"http://127.0.0.1:{port}/api/health",
            log=options.folder / f"host-{nth}.log",
            clock=options.folder / f"host-{nth}.clock" if options.clock_skews else None,
            environ={**options.environ, **NAMES},
        )

    async def __aenter__(self) -> Self:
        """Start the embedded Cosmos DB, then the hosts.

        Raises:
            ProcessError: If one of them does not start.
        """
        try:
            await self.cosmos.start()
            if self._prepare is not None:
                await self._prepare(self.endpoint)
            for host in self.hosts:
                await host.start()
        except BaseException:
            await self._stop()
            raise
        self._monitor = asyncio.create_task(self._monitor_processes(), name="monitor")
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop all processes."""
        await self._stop()

    async def kill_host(self, index: int = 0) -> None:
        """Send SIGKILL to a host that is ready; the monitor restarts it."""
        async with self.hosts[index].lock:
            await self.hosts[index].kill()

    async def cut_off(self, index: int = 0) -> None:
        """Cut a host off from its calls, as Azure does at a deployment, and start another one.

        Raises:
            ProcessError: If that does not start.
        """
        async with self.hosts[index].lock:
            await self.hosts[index].cut_off()
            await self.hosts[index].start()

    async def step_clock(self, index: int, seconds: float) -> None:
        """Make the clock of a host wrong by the given seconds."""
        async with self.hosts[index].lock:
            self.hosts[index].step_clock(seconds)

    def calls_cut_off(self) -> int:
        """Return the number of calls that ran when their host was cut off from them."""
        logs = [host.log.read_text(errors="replace") for host in self.hosts]
        return sum(count_calls_cut_off(log) for log in logs)

    async def restart(self, process: Process, environ: Mapping[str, str] | None = None) -> None:
        """Stop a process cleanly, and start it again with additional environment variables.

        Raises:
            ProcessError: If it does not start.
        """
        async with process.lock:
            await process.stop()
            process.environ = {**process.environ, **(environ or {})}
            await process.start()

    async def kill_cosmos(self) -> None:
        """Send SIGKILL to the embedded Cosmos DB, and start it again with the same files.

        Raises:
            ProcessError: If it does not start.
        """
        async with self.cosmos.lock:
            await self.cosmos.kill()
            await self.cosmos.start()

    async def split_partition(self) -> None:
        """Split the physical partition of the events container with the most load."""
        await self.post_control("split", params={"container": f"{DATABASE}/events"})

    async def post_control(self, name: str, **options: Any) -> Any:  # noqa: ANN401 - aiohttp's options
        """Send a request to a control of the embedded Cosmos DB, and return the response."""
        async with (
            aiohttp.ClientSession(raise_for_status=True) as session,
            session.post(f"{self.endpoint}_local/{name}", **options) as response,
        ):
            return await response.json()

    async def statistics(self) -> dict[str, Any]:
        """Return the embedded Cosmos DB's counts: requests, throttled ones, request units."""
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"{self.endpoint}_local/statistics") as response,
        ):
            statistics: dict[str, Any] = await response.json()
            return statistics

    async def stored_events(self) -> StoredEvents:
        """Return the counts of all events in the events container."""
        stored = StoredEvents()
        async with CosmosClient(self.endpoint, WELL_KNOWN_KEY) as client:
            events = client.get_database_client(DATABASE).get_container_client("events")
            async for document in events.query_items("SELECT c.type, c.data FROM c"):
                stored.add(document)
        return stored

    async def event_documents(self) -> list[dict[str, Any]]:
        """Return all documents of the events container."""
        return await self._documents("events")

    async def dead_letters(self) -> list[dict[str, Any]]:
        """Return all dead letters."""
        return await self._documents("deadletters")

    async def _documents(self, container: str) -> list[dict[str, Any]]:
        async with CosmosClient(self.endpoint, WELL_KNOWN_KEY) as client:
            proxy = client.get_database_client(DATABASE).get_container_client(container)
            return [document async for document in proxy.query_items("SELECT * FROM c")]

    async def run_monitored(self, work: Coroutine[object, object, ResultT]) -> ResultT:
        """Return the result of the work; cancel it if a process cannot be restarted.

        Raises:
            ProcessError: If that happens.
        """
        if self._monitor is None:
            raise RuntimeError("Use the cluster as an async context manager.")
        task = asyncio.create_task(work)
        await asyncio.wait({task, self._monitor}, return_when=asyncio.FIRST_COMPLETED)
        if self._monitor.done():
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            self._monitor.result()
        return await task

    async def _monitor_processes(self) -> None:
        while True:
            for process in (self.cosmos, *self.hosts):
                async with process.lock:
                    await self._restart_if_stopped(process)
                peak = max(process.peak_memory, self.peaks.get(process.name, 0))
                self.peaks[process.name] = peak
            await asyncio.sleep(_MONITOR_SECONDS)

    async def _restart_if_stopped(self, process: Process) -> None:
        if process.is_running:
            return
        if process is self.cosmos:
            raise ProcessError(f"{process.name} ended. {process.log_tail()}")
        await process.start()

    async def _stop(self) -> None:
        if self._monitor is not None:
            self._monitor.cancel()
            with contextlib.suppress(asyncio.CancelledError, ProcessError):
                await self._monitor
        for host in self.hosts:
            await host.stop()
            await host.kill_cut_off()
        await self.cosmos.stop()


def count_calls_cut_off(log: str) -> int:
    """Return the number of calls that the host with this log was cut off from."""
    return sum(int(number) for number in _CUT_OFF.findall(log))
