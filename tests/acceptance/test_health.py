"""Health tells what is wrong, and costs nothing however many ask."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest
from azure.cosmos.aio import DatabaseProxy

from core.application import Application
from core.dead_letters.store import DeadLetterStore
from core.errors import RejectedByCosmosError, ThrottledError
from core.operations.health import HealthMonitor
from core.operations.status import StatusOperations, StatusReport
from tests.apps import follows
from tests.support import FakeTime


@pytest.fixture
def cosmos_options() -> dict[str, Any]:
    """One physical partition."""
    return {"partitions": 1}


@pytest.fixture
def replica_lag() -> float:
    """No lag, so that requests can be counted."""
    return 0.0


@pytest.fixture
async def application(
    environ: dict[str, str], database: DatabaseProxy
) -> AsyncIterator[Application]:
    opened = Application.discover(follows, environ)
    yield opened
    await opened.close()


@pytest.fixture
def clock() -> FakeTime:
    return FakeTime()


@pytest.fixture
def monitor(application: Application, clock: FakeTime) -> HealthMonitor:
    return HealthMonitor(lambda: application.services, application.registry, clock)


def requests(application: Application) -> int:
    """Return the number of requests that were sent so far."""
    return application.services.requests.limiters.recent.requests


async def test_many_callers_cost_one_look_in_five_seconds(
    application: Application, monitor: HealthMonitor, clock: FakeTime
) -> None:
    """And one at all leases in a minute, which is the most of it."""
    await asyncio.gather(*(monitor.check() for _ in range(200)))
    first = requests(application)
    for _ in range(49):
        await clock.sleep(0.1)
        await monitor.check()
    assert requests(application) == first

    costs = []
    for _ in range(12):
        before = requests(application)
        await clock.sleep(5)
        await asyncio.gather(*(monitor.check() for _ in range(50)))
        costs.append(requests(application) - before)

    assert max(costs[:-1]) <= 2
    assert max(costs[:-1]) < costs[-1] <= first


async def test_reasons_are_counted(application: Application, monitor: HealthMonitor) -> None:
    """Those of the process and those of the account, without names."""
    services = application.services
    services.stored_documents.dates_rewritten = True
    errors = services.requests.limiters.recent
    for _ in range(20):
        errors.record(ThrottledError("x", status=429, sub_status=3200, retry_after=None))
    errors.record(RejectedByCosmosError("x", status=403, sub_status=1014))

    health = await monitor.check()

    assert health.status == "degraded"
    assert health.reasons == {"dates-rewritten": 1, "throttled": 20, "no-room": 1}


async def test_leases_are_looked_at_beside_the_rest(
    monitor: HealthMonitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that a check takes no longer than the slower of both."""
    started, report = asyncio.Event(), StatusOperations.report

    async def report_status(operations: StatusOperations, seconds: float) -> StatusReport:
        started.set()
        return await report(operations, seconds)

    async def blocking(*_: object, **__: object) -> list[object]:
        await asyncio.wait_for(started.wait(), 5)
        return []

    monkeypatch.setattr(StatusOperations, "report", report_status)
    monkeypatch.setattr(DeadLetterStore, "blocking", blocking)

    assert (await monitor.check()).status == "ok"


async def test_an_account_that_cannot_be_used_is_logged_once(
    monitor: HealthMonitor, database: DatabaseProxy, caplog: pytest.LogCaptureFixture
) -> None:
    """For each look at it."""
    await database.delete_container("events")

    with caplog.at_level(logging.ERROR):
        statuses = {(await monitor.check()).status for _ in range(10)}

    assert statuses == {"unusable"}
    assert [record.getMessage().split()[:2] for record in caplog.records] == [
        ["health.failed", "error_type=ConfigurationError"]
    ]


async def test_what_cannot_be_looked_at_in_time_is_a_reason(
    application: Application, monitor: HealthMonitor, database: DatabaseProxy
) -> None:
    """The application works without the status of its leases."""
    await database.delete_container("leases")

    health = await monitor.check()

    assert (health.status, health.reasons) == ("degraded", {"status-unknown": 1})
