"""A chaos experiment: load with disruptions, a fix, replays, and verification of every user."""

from __future__ import annotations

import asyncio
import os
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import cached_property
from typing import TYPE_CHECKING
from uuid import NAMESPACE_URL, UUID, uuid5

from azure.core.exceptions import AzureError
from azure.cosmos.aio import CosmosClient
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_delay, wait_fixed

from local.chaos.app.projections.followship import POISON_PREFIX
from local.chaos.injector import ChaosInjector
from local.chaos.report import ChaosReport
from local.chaos.schedule import poison_positions, schedule
from local.cosmos import WELL_KNOWN_KEY
from local.harness.client import ApplicationClient
from local.harness.cluster import DATABASE, FUNCTION_KEY
from local.harness.follows import Follow
from local.harness.lag import wait_until_caught_up
from local.harness.processes import peak_memory
from local.harness.verification import ExpectedState

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from local.harness.cluster import Cluster
    from local.harness.progress import Progress

EventKey = tuple[str, str]
"""The stream id and the id of an event."""

_CONCURRENCY = 32
_POISON_EVENTS = 40
_STORE_TIMEOUT_SECONDS = 60.0
_FIX = {"FAULTS_FIXED": "1"}
"""The setting that stands for the deployment of fixed code."""


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """The input of an experiment.

    Attributes:
        seed: The random seed of all disruptions.
        seconds: The duration of the load.
        follows: The load, which is spread evenly over the duration.
    """

    seed: int
    seconds: float
    follows: Sequence[Follow]

    @cached_property
    def poison(self) -> dict[int, Follow]:
        """Follows that cannot be projected, by the position of the follow before each."""
        positions = poison_positions(self.seed, len(self.follows), _POISON_EVENTS)
        return {
            position: Follow(self.follows[position].follower, UUID(f"{POISON_PREFIX}{number:024x}"))
            for number, position in enumerate(positions)
        }


async def run_experiment(
    cluster: Cluster, experiment: Experiment, progress: Progress
) -> ChaosReport:
    """Run an experiment on a cluster, and return its report.

    Raises:
        ApplicationError: If the application returns an unexpected response.
        ProcessError: If a process cannot be restarted.
    """
    started = time.monotonic()
    injector = ChaosInjector(cluster)
    expected = ExpectedState.from_follows([*experiment.follows, *experiment.poison.values()])
    async with ApplicationClient(cluster.urls, FUNCTION_KEY, _CONCURRENCY) as client:
        poison = await _run_load_with_faults(injector, cluster, client, experiment, progress)
        await wait_until_caught_up(client, progress)
        parked = {
            (dead_letter["streamId"], dead_letter["eventId"])
            for dead_letter in await cluster.dead_letters()
        }
        replayed = await _deploy_fix_and_replay(cluster, client)
        await wait_until_caught_up(client, progress)
        with progress.bar("Checking every user", len(expected.users)) as advance:
            entities = await client.followships(expected.users, advance)
    stored = await cluster.stored_events()
    return ChaosReport(
        seed=experiment.seed,
        seconds=round(time.monotonic() - started, 1),
        follows=len(expected.pairs),
        derived=sum(stored.was_followed.values()),
        lost=stored.lost(expected),
        duplicated=stored.duplicated(expected),
        users_checked=len(expected.users),
        users_incorrect=expected.count_mismatches(entities),
        poison_planted=len(poison),
        poison_not_parked=len(poison - parked),
        unexpectedly_parked=len(parked - poison),
        replayed=replayed,
        dead_letters_left=len(await cluster.dead_letters()),
        faults=dict(injector.faults),
        disruptions=dict(injector.executed),
        calls_cut_off=cluster.calls_cut_off(),
        host_starts=sum(host.starts for host in cluster.hosts),
        peak_memory={**cluster.peaks, "The experiment itself": peak_memory(os.getpid())},
    )


async def _run_load_with_faults(
    injector: ChaosInjector,
    cluster: Cluster,
    client: ApplicationClient,
    experiment: Experiment,
    progress: Progress,
) -> set[EventKey]:
    """Send the load while disruptions are executed; return the poison events."""
    disruptions = schedule(experiment.seed, experiment.seconds, len(cluster.hosts))
    injecting = asyncio.create_task(injector.run(disruptions), name="injector")
    try:
        poison = await _send_load(cluster, client, experiment, progress)
        await injecting
    finally:
        injecting.cancel()
        with suppress(asyncio.CancelledError):
            await injecting
    return poison


async def _deploy_fix_and_replay(cluster: Cluster, client: ApplicationClient) -> int:
    """Deploy the fixed code and replay all dead letters; return how many were deleted."""
    for host in cluster.hosts:
        await cluster.restart(host, _FIX)
    return await client.replay_dead_letters()


async def _send_load(
    cluster: Cluster, client: ApplicationClient, experiment: Experiment, progress: Progress
) -> set[EventKey]:
    """Send the follows at a constant rate, with the poison; return the poison events."""
    poison: set[EventKey] = set()
    interval = experiment.seconds / len(experiment.follows)
    started = time.monotonic()
    remaining = iter(enumerate(experiment.follows))

    async def work(advance: Callable[[], None]) -> None:
        for position, follow in remaining:
            await asyncio.sleep(started + position * interval - time.monotonic())
            await client.follow(follow)
            if position in experiment.poison:
                poison.add(await _store_poison(cluster, client, position, experiment))
            advance()

    with progress.bar("Following amid chaos", len(experiment.follows)) as advance:
        await asyncio.gather(*(work(advance) for _ in range(_CONCURRENCY)))
    return poison


async def _store_poison(
    cluster: Cluster, client: ApplicationClient, position: int, experiment: Experiment
) -> EventKey:
    """Store a poison event: one that its projection fails on, or one that cannot be parsed."""
    follow = experiment.poison[position]
    stream_id = f"followship-{follow.follower}"
    if position % 2:
        (event_id,) = await client.follow(follow)
        return stream_id, event_id
    return stream_id, await _store_older_version(cluster, stream_id, follow)


async def _store_older_version(cluster: Cluster, stream_id: str, follow: Follow) -> str:
    """Store an event as an earlier version of the application did; return its id."""
    event = {
        "id": str(uuid5(NAMESPACE_URL, f"older {follow.follower} {follow.followed}")),
        "streamId": stream_id,
        "type": "Followed",
        "version": 1,
        "time": datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "data": {"user_id": str(follow.follower), "target": str(follow.followed)},
        "meta": {"correlationId": "older", "hops": 0},
    }
    async for attempt in AsyncRetrying(
        retry=retry_if_exception_type(AzureError),
        wait=wait_fixed(0.1),
        stop=stop_after_delay(_STORE_TIMEOUT_SECONDS),
        reraise=True,
    ):
        with attempt:
            async with CosmosClient(cluster.endpoint, WELL_KNOWN_KEY) as sdk:
                events = sdk.get_database_client(DATABASE).get_container_client("events")
                await events.upsert_item(event)
    return str(event["id"])
