"""The demo's stage: an embedded Cosmos DB and a host, kept running until the demo is over."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import aiohttp
from azure.cosmos.aio import CosmosClient

from local.cosmos import WELL_KNOWN_KEY
from local.demo.processes import Process, ProcessError, free_port
from local.demo.verdict import Stored

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from pathlib import Path

    from typing_extensions import Self

ResultT = TypeVar("ResultT")

DATABASE = "projections"
FUNCTION_KEY = "demo"

_WATCH_SECONDS = 0.1
_LEASE_EXPIRATION = 5.0
"""Seconds after which the leases of a killed host are taken over; Azure's are 60."""


@dataclass(frozen=True, kw_only=True)
class Setup:
    """How the stage is set up: physical partitions, RU/s for each container, folder for files."""

    partitions: int
    throughput: int
    folder: Path


class Stage:
    """Starts both processes, restarts a host that dies, stops both; an async context manager."""

    def __init__(self, setup: Setup) -> None:
        cosmos_port, host_port = free_port(), free_port()
        self.endpoint = f"http://127.0.0.1:{cosmos_port}/"
        self.url = f"http://127.0.0.1:{host_port}"
        self.cosmos = Process(
            name="The embedded Cosmos DB",
            arguments=(
                *("cosmos", "--port", str(cosmos_port)),
                *("--partitions", str(setup.partitions)),
                *("--throughput", str(setup.throughput)),
                *("--data", str(setup.folder / "cosmos")),
            ),
            probe=f"{self.endpoint}_local/statistics",
            log=setup.folder / "cosmos.log",
        )
        self.host = Process(
            name="The Functions host",
            arguments=(
                *("run", "--endpoint", self.endpoint, "--port", str(host_port)),
                *("--function-key", FUNCTION_KEY),
                *("--lease-expiration", str(_LEASE_EXPIRATION)),
            ),
            probe=f"{self.url}/api/health",
            log=setup.folder / "host.log",
            environ={"CosmosDatabase": DATABASE},
        )
        self._watcher: asyncio.Task[None] | None = None
        self.peaks: dict[str, int] = {}

    async def __aenter__(self) -> Self:
        """Start Cosmos DB, then the host.

        Raises:
            ProcessError: One of them does not start.
        """
        try:
            await self.cosmos.start()
            await self.host.start()
        except BaseException:
            await self._stop()
            raise
        self._watcher = asyncio.create_task(self._watch(), name="watch the processes")
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop both."""
        await self._stop()

    async def kill_host(self) -> None:
        """SIGKILL the host; it is started again at once."""
        await self.host.kill()

    async def split(self) -> None:
        """Split the busiest physical partition of the events container."""
        url = f"{self.endpoint}_local/split"
        async with (
            aiohttp.ClientSession(raise_for_status=True) as session,
            session.post(url, params={"container": f"{DATABASE}/events"}),
        ):
            return

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

    async def dead_letters(self) -> int:
        """How many events were parked."""
        async with CosmosClient(self.endpoint, WELL_KNOWN_KEY) as client:
            letters = client.get_database_client(DATABASE).get_container_client("deadletters")
            return len([each async for each in letters.query_items("SELECT c.id FROM c")])

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
            if not self.cosmos.running:
                raise ProcessError(f"{self.cosmos.name} ended. {self.cosmos.tail()}")
            if not self.host.running:
                await self.host.start()
            for process in (self.cosmos, self.host):
                peak = max(process.peak, self.peaks.get(process.name, 0))
                self.peaks[process.name] = peak
            await asyncio.sleep(_WATCH_SECONDS)

    async def _stop(self) -> None:
        if self._watcher is not None:
            self._watcher.cancel()
            with contextlib.suppress(asyncio.CancelledError, ProcessError):
                await self._watcher
        await self.host.stop()
        await self.cosmos.stop()
