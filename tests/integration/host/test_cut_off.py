"""Hosts that lose a lease, or end, while their function still runs."""

from __future__ import annotations

import asyncio
import logging
import time
from datetime import datetime, timedelta, timezone
from typing import Any

import aiohttp
import azure.functions as func
import pytest
from azure.cosmos.aio import ContainerProxy, DatabaseProxy

from local.cosmos import EmbeddedCosmos
from local.host import FunctionsHost, HostOptions
from local.host.leases import timestamp
from tests.integration.host.hosting import Received, all_owned, change_leases, host, leases, write
from tests.support import until


class Slow:
    """A function that runs until it is told to end."""

    def __init__(self) -> None:
        self.begun, self.go_on = asyncio.Event(), asyncio.Event()
        self.ended: list[str] = []

    async def __call__(self, documents: list[dict[str, Any]]) -> None:
        self.begun.set()
        await self.go_on.wait()
        self.ended += [document["id"] for document in documents]


async def test_a_host_that_is_cut_off_leaves_its_call_running_and_its_lease_free(
    cosmos: EmbeddedCosmos, database: DatabaseProxy, events: ContainerProxy
) -> None:
    """Without a checkpoint: the next owner runs the same batch while the old call still does."""
    slow, next_one = Slow(), Received()
    await write(events, "a")
    first = host(cosmos, slow, expiration=10)
    await first.start()
    await asyncio.wait_for(slow.begun.wait(), 20)
    begun = time.monotonic()

    cutting = asyncio.create_task(first.cut_off())
    async with host(cosmos, next_one, expiration=10):
        await next_one.complete(1)
        seconds = time.monotonic() - begun
        ended_before = list(slow.ended)
    slow.go_on.set()
    await asyncio.wait_for(cutting, 20)

    assert next_one.ids == slow.ended == ["a"]
    assert ended_before == []
    assert seconds < 8  # not by expiration
    assert [lease["Owner"] for lease in await leases(database)] == [None] * 4


async def test_a_host_that_is_cut_off_repeats_nothing(
    cosmos: EmbeddedCosmos, database: DatabaseProxy, events: ContainerProxy
) -> None:
    """Also when the call that still runs fails: nothing is checkpointed."""
    slow, calls = Slow(), 0

    async def fail(documents: list[dict[str, Any]]) -> None:
        nonlocal calls
        calls += 1
        await slow(documents)
        raise ValueError("too late")

    await write(events, "a")
    running = host(cosmos, fail)
    await running.start()
    await asyncio.wait_for(slow.begun.wait(), 20)

    cutting = asyncio.create_task(running.cut_off())
    slow.go_on.set()
    await asyncio.wait_for(cutting, 20)

    assert calls == 1
    assert [lease["ContinuationToken"] for lease in await leases(database)] == [None] * 4


async def test_a_request_goes_on_when_its_host_is_cut_off() -> None:
    """Its caller is left without an answer."""
    begun, go_on, ended = asyncio.Event(), asyncio.Event(), asyncio.Event()
    app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)

    @app.route("slow")
    async def slow(req: func.HttpRequest) -> str:
        begun.set()
        await go_on.wait()
        ended.set()
        return "late"

    running = FunctionsHost(HostOptions(port=0), {}, app)
    await running.start()
    async with aiohttp.ClientSession() as session:
        asking = asyncio.create_task(session.get(f"{running.url}/api/slow"))
        await asyncio.wait_for(begun.wait(), 20)
        cutting = asyncio.create_task(running.cut_off())
        (answer,) = await asyncio.gather(asking, return_exceptions=True)
        assert not ended.is_set()
        go_on.set()
        await asyncio.wait_for(cutting, 20)

    assert isinstance(answer, aiohttp.ClientError)
    assert ended.is_set()


async def test_a_call_goes_on_when_its_lease_is_lost(
    cosmos: EmbeddedCosmos,
    database: DatabaseProxy,
    events: ContainerProxy,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """As in Azure; a renewal finds it out, and the call ends without a checkpoint."""
    caplog.set_level(logging.INFO)
    slow = Slow()
    await write(events, "a")
    async with host(cosmos, slow, expiration=60, lease_renew_interval=200):
        await asyncio.wait_for(slow.begun.wait(), 20)
        await until(lambda: all_owned(database))
        later = datetime.now(timezone.utc) + timedelta(hours=1)
        await change_leases(database, Owner="thief", timestamp=timestamp(later))

        async def others_noticed() -> bool:
            return caplog.text.count("lease.lost") == 3

        await until(others_noticed)
        running = not slow.ended
        slow.go_on.set()

        async def noticed() -> bool:
            return caplog.text.count("lease.lost") == 4

        await until(noticed)

    assert running
    assert slow.ended == ["a"]
    assert {lease["Owner"] for lease in await leases(database)} == {"thief"}
    assert {lease["ContinuationToken"] for lease in await leases(database)} == {None}
