"""Carries a schedule out on a cluster."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from typing import TYPE_CHECKING, Any, TypeVar

import aiohttp
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_delay, wait_fixed

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from local.chaos.schedule import Act
    from local.harness.cluster import Cluster

ResultT = TypeVar("ResultT")

_CALM: Mapping[str, Any] = {}
_PATIENCE = 30.0
"""Seconds in which the embedded Cosmos DB is back after an outage."""


class Havoc:
    """Lets things go wrong, and counts them.

    Attributes:
        done: How often each kind of act was carried out.
        faults: How often each fault struck.
    """

    def __init__(self, cluster: Cluster) -> None:
        self._stage = cluster
        self._plan = _CALM
        self.done: Counter[str] = Counter()
        self.faults: Counter[str] = Counter()

    async def wreak(self, acts: Sequence[Act]) -> None:
        """Carry the acts out, each at its time; then let the weather be calm."""
        started = time.monotonic()
        tasks: list[asyncio.Task[None]] = []
        try:
            for act in acts:
                await asyncio.sleep(started + act.at - time.monotonic())
                tasks.append(asyncio.create_task(self._carry_out(act), name=act.what))
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        await self._change_weather(_CALM)
        await self._collect()

    async def _carry_out(self, act: Act) -> None:
        if act.what == "weather":
            await self._change_weather(act.plan or _CALM)
        elif act.what == "kill":
            await self._stage.kill_host(act.host)
        elif act.what == "cut_off":
            await self._stage.cut_off(act.host)
        elif act.what == "restart":
            await self._stage.restart(self._stage.hosts[act.host])
        elif act.what == "split":
            await self._patiently(self._stage.split_partition)
        else:
            await self._collect()
            await self._stage.kill_cosmos()
            await self._change_weather(self._plan)
        self.done[act.what] += 1

    async def _change_weather(self, plan: Mapping[str, Any]) -> None:
        self._plan = plan
        await self._tell(plan)

    async def _collect(self) -> None:
        """Add up what struck; the embedded Cosmos DB forgets it when it is restarted."""
        self.faults.update(await self._tell(_CALM))

    async def _tell(self, plan: Mapping[str, Any]) -> dict[str, int]:
        async def post() -> dict[str, int]:
            found: dict[str, int] = await self._stage.post_control("faults", json=plan)
            return found

        return await self._patiently(post)

    async def _patiently(self, request: Callable[[], Awaitable[ResultT]]) -> ResultT:
        retrying = AsyncRetrying(
            retry=retry_if_exception_type(aiohttp.ClientError),
            wait=wait_fixed(0.1),
            stop=stop_after_delay(_PATIENCE),
            reraise=True,
        )
        return await retrying(request)
