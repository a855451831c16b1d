"""The stage: an embedded Cosmos DB and hosts, kept running until the play is over."""

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
from local.stage.processes import Process, ProcessError, free_port
from local.stage.verdict import Stored

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Mapping

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
"""Whatever the settings of this machine call them."""

EXAMPLE = Path(__file__).parents[2] / "examples" / "followship"
"""The folder of the application that the demo and the benchmarks run."""

_WATCH_SECONDS = 0.1
_CUT_OFF = re.compile(r"host\.cut_off calls=(\d+)")
_LEASE_EXPIRATION = 5.0
"""Seconds after which the leases of a killed host are taken over; Azure's are 60."""


@dataclass(frozen=True, kw_only=True)
class Setup:
    """How the stage is set up.

    Attributes:
        partitions: Physical partitions of each container.
        throughput: RU/s of each container.
        replica_lag: Milliseconds by which reads without a session token lag.
        folder: For files.
        hosts: How many hosts share the work.
        app: Folder of the app that they run.
        environ: Environment of the hosts, on top of ours.
        prepare: What is done with the account, of this endpoint, before the hosts start.
    """

    partitions: int
    throughput: int
    folder: Path
    replica_lag: int = 0
    hosts: int = 1
    app: Path = EXAMPLE
    environ: Mapping[str, str] = field(default_factory=dict)
    prepare: Callable[[str], Awaitable[None]] | None = None


class Stage:
    """Starts the processes, restarts a host that dies, stops all; an async context manager."""

    def __init__(self, setup: Setup) -> None:
        port = free_port()
        self.endpoint = f"http://127.0.0.1:{port}/"
        self.cosmos = Process(
            name="The embedded Cosmos DB",
            arguments=(
                *("cosmos", "--port", str(port)),
                *("--partitions", str(setup.partitions)),
                *("--throughput", str(setup.throughput)),
                *("--replica-lag", str(setup.replica_lag)),
                *("--data", str(setup.folder / "cosmos")),
            ),
            probe=f"{self.endpoint}_local/statistics",
            log=setup.folder / "cosmos.log",
        )
        ports = [free_port() for _ in range(setup.hosts)]
        self.urls = [f"http://127.0.0.1:{port}" for port in ports]
        self.hosts = [self._host(setup, nth, port) for nth, port in enumerate(ports, start=1)]
        self._prepare = setup.prepare
        self._watcher: asyncio.Task[None] | None = None
        self.peaks: dict[str, int] = {}

    def _host(self, setup: Setup, nth: int, port: int) -> Process:
        return Process(
            name=f"Functions host {nth}",
            arguments=(
                *("run", "--endpoint", self.endpoint, "--port", str(port)),
                *("--function-key", FUNCTION_KEY),
                *("--lease-expiration", str(_LEASE_EXPIRATION)),
                *("--app", str(setup.app), "--quiet"),
            ),
            probe=f"http://127.0.0.1:{port}/api/health",
            log=setup.folder / f"host-{nth}.log",
            environ={**setup.environ, **NAMES},
        )

    async def __aenter__(self) -> Self:
        """Start Cosmos DB, then the hosts.

        Raises:
            ProcessError: One of them does not start.
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
        self._watcher = asyncio.create_task(self._watch(), name="watch the processes")
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop all."""
        await self._stop()

    async def kill_host(self, nth: int = 0) -> None:
        """SIGKILL a host as soon as it is ready; it is started again at once."""
        async with self.hosts[nth].changing:
            await self.hosts[nth].kill()

    async def cut_off(self, nth: int = 0) -> None:
        """Cut a host off from its calls, as Azure does at a deployment, and start another one.

        Raises:
            ProcessError: If that does not start.
        """
        async with self.hosts[nth].changing:
            await self.hosts[nth].cut_off()
            await self.hosts[nth].start()

    def calls_cut_off(self) -> int:
        """Return how many calls ran when hosts were cut off from them."""
        logs = [host.log.read_text(errors="replace") for host in self.hosts]
        return sum(int(number) for log in logs for number in _CUT_OFF.findall(log))

    async def restart(self, process: Process, environ: Mapping[str, str] | None = None) -> None:
        """Stop a process cleanly and start it again, with another environment if one is given.

        Raises:
            ProcessError: It does not start.
        """
        async with process.changing:
            await process.stop()
            process.environ = {**process.environ, **(environ or {})}
            await process.start()

    async def crash_cosmos(self) -> None:
        """SIGKILL the embedded Cosmos DB and start it again over the same files.

        Raises:
            ProcessError: It does not start.
        """
        async with self.cosmos.changing:
            await self.cosmos.kill()
            await self.cosmos.start()

    async def split(self) -> None:
        """Split the busiest physical partition of the events container."""
        await self.control("split", params={"container": f"{DATABASE}/events"})

    async def control(self, what: str, **options: Any) -> Any:  # noqa: ANN401 - aiohttp's options
        """POST to a control of the embedded Cosmos DB; its answer."""
        async with (
            aiohttp.ClientSession(raise_for_status=True) as session,
            session.post(f"{self.endpoint}_local/{what}", **options) as response,
        ):
            return await response.json()

    async def statistics(self) -> dict[str, Any]:
        """What the embedded Cosmos DB counted: requests, throttled ones, request units."""
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"{self.endpoint}_local/statistics") as response,
        ):
            found: dict[str, Any] = await response.json()
            return found

    async def stored(self) -> Stored:
        """Every event in the events container, counted."""
        stored = Stored()
        async with CosmosClient(self.endpoint, WELL_KNOWN_KEY) as client:
            events = client.get_database_client(DATABASE).get_container_client("events")
            async for document in events.query_items("SELECT c.type, c.data FROM c"):
                stored.add(document)
        return stored

    async def dead_letters(self) -> list[dict[str, Any]]:
        """The events that are parked."""
        async with CosmosClient(self.endpoint, WELL_KNOWN_KEY) as client:
            letters = client.get_database_client(DATABASE).get_container_client("deadletters")
            return [each async for each in letters.query_items("SELECT * FROM c")]

    async def during(self, work: Coroutine[object, object, ResultT]) -> ResultT:
        """The work's result; it ends early when a process is gone for good.

        Raises:
            ProcessError: One is.
        """
        if self._watcher is None:
            raise RuntimeError("Use the stage as an async context manager.")
        task = asyncio.create_task(work)
        await asyncio.wait({task, self._watcher}, return_when=asyncio.FIRST_COMPLETED)
        if self._watcher.done():
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            self._watcher.result()
        return await task

    async def _watch(self) -> None:
        while True:
            for process in (self.cosmos, *self.hosts):
                async with process.changing:
                    await self._revive(process)
                peak = max(process.peak, self.peaks.get(process.name, 0))
                self.peaks[process.name] = peak
            await asyncio.sleep(_WATCH_SECONDS)

    async def _revive(self, process: Process) -> None:
        if process.running:
            return
        if process is self.cosmos:
            raise ProcessError(f"{process.name} ended. {process.tail()}")
        await process.start()

    async def _stop(self) -> None:
        if self._watcher is not None:
            self._watcher.cancel()
            with contextlib.suppress(asyncio.CancelledError, ProcessError):
                await self._watcher
        for host in self.hosts:
            await host.stop()
            await host.end_leaving()
        await self.cosmos.stop()
