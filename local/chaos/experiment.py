"""A chaos experiment: load with disruptions, a fix, replays, and verification of every user."""

from __future__ import annotations

import asyncio
import os
import time
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from functools import cached_property
from random import Random
from typing import TYPE_CHECKING
from uuid import NAMESPACE_URL, UUID, uuid5

from azure.core.exceptions import AzureError
from azure.cosmos.aio import CosmosClient
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_delay, wait_fixed

from local.chaos.app.projections.followship import POISON_PREFIX
from local.chaos.damage import find_damage
from local.chaos.history import Change, stream_of
from local.chaos.injector import ChaosInjector
from local.chaos.leases import set_back_leases
from local.chaos.load import LoadSender
from local.chaos.report import ChaosReport
from local.chaos.schedule import poison_positions, schedule
from local.cosmos import WELL_KNOWN_KEY
from local.harness.client import ApplicationClient
from local.harness.cluster import DATABASE, FUNCTION_KEY
from local.harness.follows import Follow
from local.harness.lag import wait_until_caught_up
from local.harness.processes import peak_memory
from local.harness.streams import StoredStreams
from local.harness.verification import ExpectedState

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from local.chaos.history import History
    from local.harness.cluster import Cluster
    from local.harness.progress import Progress
    from local.harness.streams import EventKey

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
        follows: The pairs of the load, which is spread evenly over the duration.
        max_skew: The seconds by which the clock of a host may be wrong, 0 if all are right.
    """

    seed: int
    seconds: float
    follows: Sequence[Follow]
    max_skew: float

    @cached_property
    def poison(self) -> dict[int, Follow]:
        """Follows that cannot be projected, by the position of the follow before each."""
        positions = poison_positions(self.seed, len(self.follows), _POISON_EVENTS)
        return {
            position: Follow(self.follows[position].follower, UUID(f"{POISON_PREFIX}{number:024x}"))
            for number, position in enumerate(positions)
        }

    def expected_state(self, history: History) -> ExpectedState:
        """Return the state after the accepted commands, of all users of the load."""
        pairs = [*self.follows, *self.poison.values()]
        users = dict.fromkeys(user for pair in pairs for user in pair.users)
        return replace(ExpectedState.from_follows(history.remaining()), users=tuple(users))


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
    async with ApplicationClient(cluster.urls, FUNCTION_KEY, _CONCURRENCY) as client:
        load = LoadSender(seed=experiment.seed, client=client)
        poison = await _run_load_with_faults(injector, cluster, load, experiment, progress)
        await set_back_leases(cluster)
        await wait_until_caught_up(client, progress)
        parked = {
            (dead_letter["streamId"], dead_letter["eventId"])
            for dead_letter in await cluster.dead_letters()
        }
        replayed = await _deploy_fix_and_replay(cluster, client)
        await wait_until_caught_up(client, progress)
        expected = experiment.expected_state(load.history)
        with progress.bar("Checking every user", len(expected.users)) as advance:
            entities = await client.followships(expected.users, advance)
    documents = await cluster.event_documents()
    streams = StoredStreams.from_documents(documents, load.history.foreign_keys())
    damage = find_damage(streams, load.history)
    return ChaosReport(
        seed=experiment.seed,
        seconds=round(time.monotonic() - started, 1),
        commands=sum(len(event_ids) for event_ids in load.history.event_ids.values()),
        repeated=load.history.repeated,
        lost_replies=load.lost_replies,
        answers_different=load.history.different_answers,
        derived=sum(len(events) for events in streams.derived.values()),
        lost=len(damage.lost),
        duplicated=len(damage.duplicated),
        out_of_order=len(damage.out_of_order),
        time_wrong=len(damage.time_wrong),
        positions_wrong=len(damage.positions_wrong),
        origin_wrong=len(damage.origin_wrong),
        examples=damage.examples(),
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
    load: LoadSender,
    experiment: Experiment,
    progress: Progress,
) -> set[EventKey]:
    """Send the load while disruptions are executed; return the poison events."""
    disruptions = schedule(
        experiment.seed, experiment.seconds, len(cluster.hosts), experiment.max_skew
    )
    injecting = asyncio.create_task(injector.run(disruptions), name="injector")
    try:
        poison = await _send_load(cluster, load, experiment, progress)
        await injecting
    finally:
        injecting.cancel()
        with suppress(asyncio.CancelledError):
            await injecting
    return poison


async def _deploy_fix_and_replay(cluster: Cluster, client: ApplicationClient) -> int:
    """Deploy the fixed code and replay all dead letters; return how many were deleted."""
    await asyncio.gather(*(cluster.restart(host, _FIX) for host in cluster.hosts))
    return await client.replay_dead_letters()


async def _send_load(
    cluster: Cluster, load: LoadSender, experiment: Experiment, progress: Progress
) -> set[EventKey]:
    """Send the follows at a constant rate, with the poison; return the poison events."""
    poison: set[EventKey] = set()
    interval = experiment.seconds / len(experiment.follows)
    started = time.monotonic()
    remaining = iter(enumerate(experiment.follows))

    async def work(advance: Callable[[], None]) -> None:
        for position, follow in remaining:
            await asyncio.sleep(started + position * interval - time.monotonic())
            await load.relate(follow)
            if position in experiment.poison:
                poison.add(await _store_poison(cluster, load, position, experiment))
            advance()

    with progress.bar("Following amid chaos", len(experiment.follows)) as advance:
        await asyncio.gather(*(work(advance) for _ in range(_CONCURRENCY)))
    return poison


async def _store_poison(
    cluster: Cluster, load: LoadSender, position: int, experiment: Experiment
) -> EventKey:
    """Store a poison event: one that its projection fails on, or one that cannot be parsed."""
    follow = experiment.poison[position]
    stream_id = stream_of(follow.follower)
    if position % 2:
        random = Random(f"poison {position}")  # noqa: S311 - it is to be repeatable, not secret
        return stream_id, await load.send(Change(follow, 0), random)
    event_id = await _store_older_version(cluster, stream_id, follow)
    load.history.foreign[follow] = event_id
    return stream_id, event_id


async def _store_older_version(cluster: Cluster, stream_id: str, follow: Follow) -> str:
    """Store an event as an earlier version of the application did; return its id."""
    event = {
        "id": str(uuid5(NAMESPACE_URL, f"older {follow.follower} {follow.followed}")),
        "streamId": stream_id,
        "type": "Followed",
        "version": 1,
        "time": datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-1] + "0Z",
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
            async with AsyncExitStack() as stack:
                sdk = CosmosClient(cluster.endpoint, WELL_KNOWN_KEY)
                stack.push_async_callback(sdk.close)  # also if it cannot be opened
                await stack.enter_async_context(sdk)
                events = sdk.get_database_client(DATABASE).get_container_client("events")
                await events.upsert_item(event)
    return str(event["id"])
