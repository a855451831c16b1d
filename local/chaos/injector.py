"""Execution of a schedule of disruptions on a cluster."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from typing import TYPE_CHECKING, Any, TypeVar

import aiohttp
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_delay, wait_fixed

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from local.chaos.schedule import Disruption
    from local.harness.cluster import Cluster

ResultT = TypeVar("ResultT")

_NO_FAULTS: Mapping[str, Any] = {}
_CONTROL_TIMEOUT_SECONDS = 30.0
"""The time within which the embedded Cosmos DB is available again after an outage."""


class ChaosInjector:
    """Executes disruptions on a cluster, and counts them.

    Attributes:
        executed: The number of executed disruptions of each kind.
        faults: The number of injected faults of each kind.
    """

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._plan = _NO_FAULTS
        self.executed: Counter[str] = Counter()
        self.faults: Counter[str] = Counter()

    async def run(self, disruptions: Sequence[Disruption]) -> None:
        """Execute each disruption at its time, then end all faults."""
        started = time.monotonic()
        tasks: list[asyncio.Task[None]] = []
        try:
            for disruption in disruptions:
                await asyncio.sleep(started + disruption.at - time.monotonic())
                tasks.append(asyncio.create_task(self._execute(disruption), name=disruption.kind))
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        await self._set_faults(_NO_FAULTS)
        await self._count_faults()

    async def _execute(self, disruption: Disruption) -> None:
        if disruption.kind == "faults":
            await self._set_faults(disruption.plan or _NO_FAULTS)
        elif disruption.kind == "kill":
            await self._cluster.kill_host(disruption.host)
        elif disruption.kind == "cutOff":
            await self._cluster.cut_off(disruption.host)
        elif disruption.kind == "restart":
            await self._cluster.restart(self._cluster.hosts[disruption.host])
        elif disruption.kind == "clock":
            await self._cluster.step_clock(disruption.host, disruption.skew)
        elif disruption.kind == "split":
            await self._retry(self._cluster.split_partition)
        else:
            await self._count_faults()
            await self._cluster.kill_cosmos()
            await self._set_faults(self._plan)
        self.executed[disruption.kind] += 1

    async def _set_faults(self, plan: Mapping[str, Any]) -> None:
        self._plan = plan
        await self._post_plan(plan)

    async def _count_faults(self) -> None:
        """Add the injected faults, which the embedded Cosmos DB forgets when it is restarted."""
        self.faults.update(await self._post_plan(_NO_FAULTS))

    async def _post_plan(self, plan: Mapping[str, Any]) -> dict[str, int]:
        async def post() -> dict[str, int]:
            injected: dict[str, int] = await self._cluster.post_control("faults", json=plan)
            return injected

        return await self._retry(post)

    async def _retry(self, request: Callable[[], Awaitable[ResultT]]) -> ResultT:
        retrying = AsyncRetrying(
            retry=retry_if_exception_type(aiohttp.ClientError),
            wait=wait_fixed(0.1),
            stop=stop_after_delay(_CONTROL_TIMEOUT_SECONDS),
            reraise=True,
        )
        return await retrying(request)
