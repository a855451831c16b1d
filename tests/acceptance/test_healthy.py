"""An application that works has no finding, whatever goes on."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

import aiohttp
import azure.functions as func
import pytest
from azure.cosmos.aio import DatabaseProxy

from core.application import Application
from core.functions.triggers import register_triggers
from local.cosmos import EmbeddedCosmos
from local.host import FunctionsHost, HostOptions
from tests.apps import follows
from tests.support import followed, until

PARTITIONS, SPLITS, EVENTS = 2, 2, 150


@pytest.fixture
def cosmos_options() -> dict[str, Any]:
    return {"partitions": PARTITIONS}


@pytest.fixture
def replica_lag() -> float:
    """Replicas lag, which may look like a checkpoint that is ahead."""
    return 0.3


async def split(cosmos: EmbeddedCosmos) -> None:
    """Split a physical partition of the events."""
    url = f"{cosmos.endpoint}_local/split"
    parameters = {"container": "projections/events"}
    async with aiohttp.ClientSession() as session, session.post(url, params=parameters) as response:
        assert response.status < 300, await response.text()


async def test_load_splits_and_restarts_are_no_finding(
    environ: dict[str, str], cosmos: EmbeddedCosmos, database: DatabaseProxy
) -> None:
    """Two hosts take events while partitions split, and one of them is replaced."""
    events = database.get_container_client("events")
    application = Application.discover(follows, environ)
    reports: list[tuple[str, ...]] = []

    def host() -> FunctionsHost:
        app = func.FunctionApp()
        register_triggers(app, Application.discover(follows, environ), environ)
        return FunctionsHost(HostOptions(port=0, lease_expiration=2.0), environ, app)

    async def load() -> None:
        for number in range(EVENTS):
            await events.create_item(followed(number, EVENTS + number % 7))

    async def watch() -> None:
        while True:
            report = await application.status.report()
            reports.append(tuple(finding.code for finding in report.findings))

    async def is_complete() -> bool:
        derived = [
            item
            async for item in events.query_items("SELECT * FROM c")
            if item["type"] == "WasFollowed"
        ]
        return len(derived) == EVENTS

    watcher = asyncio.create_task(watch())
    async with host():
        loading = asyncio.create_task(load())
        for _ in range(SPLITS):
            async with host():
                await split(cosmos)
                await until(partial(has_more, reports, len(reports) + 3))
        await loading
        await until(is_complete, seconds=60)
    watcher.cancel()
    await asyncio.gather(watcher, return_exceptions=True)
    await application.close()

    assert len(reports) > 3 * SPLITS
    assert set(reports) == {()}


async def has_more(reports: list[tuple[str, ...]], count: int) -> bool:
    return len(reports) >= count
