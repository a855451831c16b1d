"""Timers on the local host."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import AsyncExitStack
from datetime import datetime, timedelta, timezone
from typing import Any

import azure.functions as func
import pytest
from azure.cosmos.aio import ContainerProxy, DatabaseProxy

from local.cosmos import EmbeddedCosmos
from local.host import FunctionsHost, HostError, HostOptions
from local.host.leases import timestamp
from tests.integration.host.hosting import Received, app
from tests.support import until

EVERY_SECOND = "* * * * * *"


class Ticks:
    """Counts a timer's calls by their second."""

    def __init__(self) -> None:
        self.seconds: list[int] = []
        self.past_due: list[bool] = []

    def note(self, timer: func.TimerRequest) -> None:
        self.seconds.append(int(datetime.now(timezone.utc).timestamp() + 0.5))
        self.past_due.append(timer.past_due)

    async def reach(self, count: int) -> None:
        async def enough() -> bool:
            return len(self.seconds) >= count

        await until(enough)


def timed(ticks: Ticks, schedule: str = EVERY_SECOND, **options: Any) -> func.FunctionApp:
    """An app with a timer beside the function on the feed."""
    function_app = app(Received())

    @function_app.function_name("tick")
    @function_app.timer_trigger(arg_name="timer", schedule=schedule, **options)
    async def tick(timer: func.TimerRequest) -> None:
        ticks.note(timer)

    return function_app


def host(cosmos: EmbeddedCosmos, function_app: func.FunctionApp, **settings: str) -> FunctionsHost:
    options = HostOptions(port=0, lease_expiration=1.5)
    return FunctionsHost(options, {"C": cosmos.connection_string, **settings}, function_app)


async def test_of_several_hosts_one_runs_a_timer(
    cosmos: EmbeddedCosmos, events: ContainerProxy
) -> None:
    """Every second once, and the next host takes over from one that ends."""
    ticks = Ticks()
    async with AsyncExitStack() as stack:
        hosts = [host(cosmos, timed(ticks)) for _ in range(3)]
        for one in hosts:
            await stack.enter_async_context(one)
        await ticks.reach(3)
        await hosts[0].stop()
        await ticks.reach(6)

    assert max(Counter(ticks.seconds).values()) == 1
    assert not any(ticks.past_due)


async def test_a_schedule_may_be_a_setting(cosmos: EmbeddedCosmos, events: ContainerProxy) -> None:
    """Referred to as `%NAME%`."""
    ticks = Ticks()
    async with host(cosmos, timed(ticks, "%EVERY%"), EVERY=EVERY_SECOND):
        await ticks.reach(1)


async def test_a_timer_can_run_at_the_start(cosmos: EmbeddedCosmos, events: ContainerProxy) -> None:
    """Whatever its schedule."""
    ticks = Ticks()
    async with host(cosmos, timed(ticks, "0 0 0 1 1 *", run_on_startup=True)):
        await ticks.reach(1)

    assert ticks.past_due == [False]


@pytest.mark.parametrize(
    ("schedule", "options", "fires"),
    [
        pytest.param("0 0 0 * * *", {}, True, id="missed"),
        pytest.param("0 0 0 * * *", {"use_monitor": False}, False, id="not monitored"),
        pytest.param("0 0 1 * * *", {}, False, id="another schedule meanwhile"),
    ],
)
async def test_an_occurrence_that_was_missed_is_past_due(
    cosmos: EmbeddedCosmos,
    database: DatabaseProxy,
    events: ContainerProxy,
    schedule: str,
    options: dict[str, Any],
    *,
    fires: bool,
) -> None:
    """And made up for once, by what the lock document remembers."""
    ticks, container = Ticks(), database.get_container_client("leases")
    midnight = datetime.now(timezone.utc).replace(hour=0, minute=0, second=0, microsecond=0)
    status = {
        "Last": timestamp(midnight - timedelta(days=2)),
        "Next": timestamp(midnight - timedelta(days=1)),
    }
    await container.create_item(
        {"id": "timer.tick", "LeaseToken": "timer", "Owner": None, "timestamp": None, **status}
    )

    async def owned() -> bool:
        item = await container.read_item("timer.tick", "timer.tick")
        return bool(item["Owner"]) and (bool(ticks.seconds) or not fires)

    async with host(cosmos, timed(ticks, schedule, **options)):
        await until(owned)
    async with host(cosmos, timed(ticks, schedule, **options)):
        await until(owned)

    assert ticks.past_due == [True] * fires


async def test_a_failing_timer_goes_on(
    cosmos: EmbeddedCosmos, events: ContainerProxy, caplog: pytest.LogCaptureFixture
) -> None:
    """What it raised is logged."""
    failures, function_app = [ValueError("once")], app(Received())
    done = asyncio.Event()

    @function_app.function_name("tick")
    @function_app.timer_trigger(arg_name="timer", schedule=EVERY_SECOND)
    def tick(timer: func.TimerRequest) -> None:
        if failures:
            raise failures.pop()
        done.set()

    async with host(cosmos, function_app):
        await asyncio.wait_for(done.wait(), 20)

    assert "function.failed function=tick" in caplog.text


async def test_a_timer_without_a_place_for_its_lock_is_rejected() -> None:
    """It would run on every host."""
    function_app = func.FunctionApp()

    @function_app.function_name("tick")
    @function_app.timer_trigger(arg_name="timer", schedule=EVERY_SECOND)
    def tick(timer: func.TimerRequest) -> None: ...

    with pytest.raises(HostError, match=r"timer of function tick .* needs a Cosmos DB trigger"):
        await FunctionsHost(HostOptions(port=0), {}, function_app).start()


@pytest.mark.parametrize("name", ["AzureWebJobs.tick.Disabled", "AzureWebJobs_tick_Disabled"])
async def test_a_disabled_function_does_not_run(
    cosmos: EmbeddedCosmos, database: DatabaseProxy, events: ContainerProxy, name: str
) -> None:
    """By the setting's name, or by the one that Linux can have."""
    ticks, received = Ticks(), Received()
    function_app = app(received)
    function_app.function_name("tick")(
        function_app.timer_trigger(arg_name="timer", schedule=EVERY_SECOND)(ticks.note)
    )
    async with host(cosmos, function_app, **{name: "True"}):
        await events.create_item({"id": "a", "streamId": "s"})
        await received.complete(1)
        items = database.get_container_client("leases").query_items("SELECT c.id FROM c")
        ids = [item["id"] async for item in items]

    assert ids
    assert "timer.tick" not in ids
    assert ticks.seconds == []
