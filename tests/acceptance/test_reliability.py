"""Nothing is lost and nothing is doubled: leases that change hands, faults, and chaos."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aiohttp
import azure.functions as func
import pytest
from azure.cosmos.aio import ContainerProxy, CosmosClient, DatabaseProxy
from typing_extensions import Self

from core.application import Application
from core.functions.routes import register_routes
from core.functions.triggers import register_triggers
from core.model.times import parse_time
from local.chaos.schedule import clock_skews, poison_positions, schedule
from local.cosmos import WELL_KNOWN_KEY, EmbeddedCosmos
from local.harness.client import ApplicationClient
from local.harness.cluster import FUNCTION_KEY, Cluster, ClusterOptions
from local.harness.follows import Follow
from local.harness.streams import StoredStreams
from local.host import FunctionsHost, HostOptions
from tests.apps import follows
from tests.support import (
    DATE_HANDLING,
    both_date_handlings,
    followed,
    stream,
    until,
    user,
)

ROOT = Path(__file__).parents[2]
FOLLOWS = [followed(number, number % 9 + 500) for number in range(1, 241)]


class Cast:
    """Hosts of the real app, each as its own process would be, and what they have come to."""

    def __init__(self, environ: dict[str, str], database: DatabaseProxy) -> None:
        self._environ = environ
        self._events: ContainerProxy = database.get_container_client("events")
        self._leases: ContainerProxy = database.get_container_client("leases")
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Nobody is on yet."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """All leave."""
        await self._stack.aclose()

    async def enter(self) -> FunctionsHost:
        """One more host, with a client of its own."""
        application = Application.discover(follows, self._environ)
        app = func.FunctionApp(http_auth_level=func.AuthLevel.FUNCTION)
        register_triggers(app, application, self._environ)
        register_routes(app, application)
        self._stack.push_async_callback(application.close)
        host = FunctionsHost(HostOptions(port=0, lease_expiration=1.5), self._environ, app)
        return await self._stack.enter_async_context(host)

    async def act(self, nth: int) -> None:
        """A third of the follows."""
        for follow in FOLLOWS[nth * 80 : (nth + 1) * 80]:
            await self._events.create_item(follow)

    async def owners(self, count: int) -> None:
        """Return when the leases have so many owners."""

        async def enough() -> bool:
            items = self._leases.query_items("SELECT * FROM c")
            owners = {item["Owner"] async for item in items if item.get("Owner")}
            return len(owners) == count

        await until(enough)

    async def derived(self, count: int) -> list[dict[str, Any]]:
        """The derived events, once there are so many."""
        documents: list[dict[str, Any]] = []

        async def enough() -> bool:
            items = self._events.query_items("SELECT * FROM c WHERE c.type = 'WasFollowed'")
            documents[:] = [item async for item in items]
            return len(documents) >= count

        await until(enough, 40)
        return documents


def pairs(derived: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return sorted(
        (document["data"]["follower"], document["data"]["user_id"]) for document in derived
    )


def expected(events: list[dict[str, Any]] = FOLLOWS) -> list[tuple[str, str]]:
    return sorted((follow["data"]["user_id"], follow["data"]["to_follow"]) for follow in events)


@both_date_handlings
async def test_leases_that_change_hands_lose_and_double_nothing(
    environ: dict[str, str], database: DatabaseProxy
) -> None:
    """A host joins and steals, the first one leaves cleanly, another one comes."""
    async with Cast(environ, database) as cast:
        first = await cast.enter()
        await cast.act(0)
        await cast.enter()
        await cast.owners(2)
        await cast.act(1)
        await first.stop()
        await cast.owners(1)
        await cast.enter()
        await cast.act(2)
        derived = await cast.derived(240)

    assert pairs(derived) == expected()


async def test_both_owners_of_a_lease_may_run_the_same_batch_at_once(
    environ: dict[str, str], database: DatabaseProxy
) -> None:
    """The one that lost it does not know yet; both end in the same documents."""
    owners = [Application.discover(follows, environ) for _ in range(2)]
    outcomes = await asyncio.gather(
        *(owner.project("followship", FOLLOWS) for owner in owners for _ in range(2))
    )
    async with Cast(environ, database) as cast:
        derived = await cast.derived(240)
    for owner in owners:
        await owner.close()

    assert {outcome.derived for outcome in outcomes} == {240}
    assert pairs(derived) == expected()


FAULTS = [
    *({"fault": "throttled", "rate": 0.1, "durationMs": 20},),
    *({"fault": "throttledWithoutRetryAfter", "rate": 0.05},),
    *(
        {"fault": fault, "rate": 0.04}
        for fault in ("retryWith", "timeout", "gone", "error", "unavailable")
    ),
    *({"fault": fault, "rate": 0.04} for fault in ("resetBefore", "resetAfter")),
    {"fault": "partial", "rate": 0.1, "operations": ["BATCH"]},
    {"fault": "outage", "rate": 0.005, "durationMs": 100},
]


@pytest.mark.timeout(480)  # every kind includes those that are waited out, one after another
@pytest.mark.parametrize("replica_lag", [0.2], ids=["lagging"])
async def test_faults_of_every_kind_lose_and_double_nothing(
    environ: dict[str, str], database: DatabaseProxy, cosmos: EmbeddedCosmos, replica_lag: float
) -> None:
    """Every request may go wrong, in every way that can be produced."""
    events = FOLLOWS[:96]
    process = Application.discover(follows, environ)
    control = f"{cosmos.endpoint}_local/faults"
    async with aiohttp.ClientSession() as session:
        await session.post(control, json={"seed": 5, "rules": FAULTS})
        for first in range(0, len(events), 24):
            await process.project("followship", events[first : first + 24])
        await until(lambda: _posted(session, control))
        async with session.get(control) as answer:
            struck = await answer.json()
    async with Cast(environ, database) as cast:
        derived = await cast.derived(len(events))
    await process.close()

    assert sum(struck.values()) > 30
    assert pairs(derived) == expected(events)


async def _posted(session: aiohttp.ClientSession, control: str) -> bool:
    try:
        await session.post(control, json={})
    except aiohttp.ClientError:
        return False
    return True


def test_disruptions_follow_from_the_seed() -> None:
    """All kinds of them, so that a failing experiment can be repeated."""
    disruptions = schedule(7, 180, 2, 600.0)
    kinds = [disruption.kind for disruption in disruptions]
    times = [disruption.at for disruption in disruptions]

    assert disruptions == schedule(7, 180, 2, 600.0) != schedule(8, 180, 2, 600.0)
    assert set(kinds) == {"faults", "kill", "restart", "crash", "split", "cutOff", "clock"}
    assert max(abs(disruption.skew) for disruption in disruptions) <= 600
    assert clock_skews(7, 2, 600.0) == clock_skews(7, 2, 600.0) != clock_skews(8, 2, 600.0)
    assert kinds.count("kill") >= 15
    assert times == sorted(times)
    assert poison_positions(7, 1_000, 40) == poison_positions(7, 1_000, 40)
    assert poison_positions(7, 1_000, 40) != poison_positions(8, 1_000, 40)


@pytest.mark.timeout(150)
@both_date_handlings
def test_chaos_ends_well(tmp_path: Path, date_handling: str) -> None:
    """A short one with everything that can go wrong; docs/reliability.md has the long ones."""
    figures = tmp_path / "out.json"

    done = subprocess.run(  # noqa: S603 - our own command
        [
            *(sys.executable, "-m", "local", "chaos", "--seed", "4"),
            *("--minutes", "0.15", "--json", str(figures)),
        ],
        cwd=ROOT,
        env={**os.environ, DATE_HANDLING: date_handling},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads(figures.read_text(encoding="utf-8"))
    assert report["exact"]
    assert report["poisonPlanted"] == report["replayed"] == 40
    assert sum(report["faults"].values()) > 0
    assert report["disruptions"]["kill"] >= 1
    assert report["disruptions"]["cutOff"] >= 1
    assert report["disruptions"]["clock"] >= 1
    assert report["lostReplies"] > 0
    assert report["repeated"] > 0


MARK = "S3CR3T-M4RK"


async def test_the_logs_of_a_whole_process_carry_no_secret_and_no_payload(tmp_path: Path) -> None:
    """Neither keys nor bodies nor stored fields, whatever fails."""
    app = ROOT / "local" / "chaos" / "app"
    setup = ClusterOptions(partitions=2, throughput=2_000, folder=tmp_path, app=app)
    older = followed(1, 2, data={"user_id": str(user(1)), "target": MARK})
    async with Cluster(setup) as cluster:
        url, headers = cluster.urls[0], {"x-functions-key": FUNCTION_KEY, "Idempotency-Key": MARK}
        async with aiohttp.ClientSession(headers=headers) as session:
            good = {"user_id": str(user(1)), "to_follow": "0000dead-0000-4000-8000-000000000001"}
            for body in (good, {"user_id": MARK}, {**good, MARK: MARK}, [MARK], MARK):
                await session.post(f"{url}/api/commands/follow", json=body)
            await session.get(f"{url}/api/entities/followship/{MARK}%2f..")
            await cluster.post_control("faults", json={"rules": [{"fault": "error", "rate": 0.2}]})
            await session.post(f"{url}/api/commands/follow", json=good)
            await cluster.post_control("faults", json={})
        async with CosmosClient(cluster.endpoint, WELL_KNOWN_KEY) as sdk:
            events = sdk.get_database_client("projections").get_container_client("events")
            await events.create_item(older)

        async def parked() -> bool:
            return len(await cluster.dead_letters()) == 2

        await until(parked)

    logs = (tmp_path / "host-1.log").read_text(encoding="utf-8")
    assert "event.parked" in logs
    assert stream(1) in logs
    for secret in (MARK, WELL_KNOWN_KEY, "0000dead"):
        assert secret not in logs


async def test_a_host_whose_clock_is_wrong_keeps_the_order_of_a_stream(tmp_path: Path) -> None:
    """Its clock is ten minutes ahead, then ten minutes behind; it goes by the service's clock."""
    app = ROOT / "local" / "chaos" / "app"
    options = ClusterOptions(
        partitions=1, throughput=10_000, folder=tmp_path, app=app, clock_skews=(600.0,)
    )
    async with Cluster(options) as cluster:
        async with ApplicationClient(cluster.urls, FUNCTION_KEY, 1) as client:
            await client.follow(Follow(user(1), user(2)))
            await cluster.step_clock(0, -600.0)
            await client.follow(Follow(user(1), user(3)))
            await client.follow(Follow(user(4), user(5)))
        streams = StoredStreams.from_documents(await cluster.event_documents())
    now = time.time()

    first, second = (parse_time(event["time"]).timestamp() for event in streams.own[stream(1)])
    (other,) = (parse_time(event["time"]).timestamp() for event in streams.own[stream(4)])
    assert [first, second, other] == pytest.approx([now, now, now], abs=60)
    assert first < second
    assert (streams.wrong_positions(), streams.wrong_times()) == ([], [])
