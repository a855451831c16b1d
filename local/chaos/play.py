"""A play of chaos: load and havoc together, then calm, mending, replays, and every user checked."""

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
from local.chaos.havoc import Havoc
from local.chaos.report import Report
from local.chaos.schedule import planted, schedule
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

_CONCURRENCY = 32
_POISON = 40
"""Poison events that are planted."""

_PATIENCE = 60.0
_FIXED = {"FAULTS_FIXED": "1"}


@dataclass(frozen=True, kw_only=True)
class Script:
    """What is played.

    Attributes:
        seed: Everything that goes wrong follows from it.
        seconds: How long.
        follows: The load, spread evenly over the time.
    """

    seed: int
    seconds: float
    follows: Sequence[Follow]

    @cached_property
    def poison(self) -> dict[int, Follow]:
        """Follows that cannot be projected, by the follow behind which they are planted.

        Every other one is of an older form that cannot even be read.
        """
        places = planted(self.seed, len(self.follows), _POISON)
        return {
            place: Follow(self.follows[place].follower, _unlucky(nth))
            for nth, place in enumerate(places)
        }


async def play(cluster: Cluster, script: Script, progress: Progress) -> Report:
    """Play it and report what came of it.

    Raises:
        ApplicationError: The application answered what it should not have.
        ProcessError: A process is gone for good.
    """
    begun = time.monotonic()
    havoc = Havoc(cluster)
    expected = ExpectedState.from_follows([*script.follows, *script.poison.values()])
    async with ApplicationClient(cluster.urls, FUNCTION_KEY, _CONCURRENCY) as client:
        poison = await _amid(havoc, cluster, client, script, progress)
        await wait_until_caught_up(client, progress)
        parked = {(each["streamId"], each["eventId"]) for each in await cluster.dead_letters()}
        replayed = await _mend(cluster, client)
        await wait_until_caught_up(client, progress)
        with progress.bar("Checking every user", len(expected.users)) as advance:
            entities = await client.followships(expected.users, advance)
    stored = await cluster.stored_events()
    return Report(
        seed=script.seed,
        seconds=round(time.monotonic() - begun, 1),
        follows=len(expected.pairs),
        derived=sum(stored.was_followed.values()),
        lost=stored.lost(expected),
        duplicated=stored.duplicated(expected),
        users_checked=len(expected.users),
        users_wrong=sum(not expected.matches(user, entities[user]) for user in expected.users),
        poison_planted=len(poison),
        poison_missed=len(poison - parked),
        parked_wrongly=len(parked - poison),
        replayed=replayed,
        kept=len(await cluster.dead_letters()),
        faults=dict(havoc.faults),
        acts=dict(havoc.done),
        calls_cut_off=cluster.calls_cut_off(),
        host_starts=sum(host.starts for host in cluster.hosts),
        peak_memory={**cluster.peaks, "Chaos itself": peak_memory(os.getpid())},
    )


async def _amid(
    havoc: Havoc, cluster: Cluster, client: ApplicationClient, script: Script, progress: Progress
) -> set[tuple[str, str]]:
    """Load while havoc is wrought; streams and ids of the poison events."""
    acts = schedule(script.seed, script.seconds, len(cluster.hosts))
    wreaking = asyncio.create_task(havoc.wreak(acts), name="havoc")
    try:
        poison = await _load(cluster, client, script, progress)
        await wreaking
    finally:
        wreaking.cancel()
        with suppress(asyncio.CancelledError):
            await wreaking
    return poison


async def _mend(cluster: Cluster, client: ApplicationClient) -> int:
    """Deploy the mended code and replay what is parked; how many letters are gone."""
    for host in cluster.hosts:
        await cluster.restart(host, _FIXED)
    return await client.replay_dead_letters()


async def _load(
    cluster: Cluster, client: ApplicationClient, script: Script, progress: Progress
) -> set[tuple[str, str]]:
    """Send the follows at an even pace, poison among them; streams and ids of the poison."""
    planted_events: set[tuple[str, str]] = set()
    pace = script.seconds / len(script.follows)
    begun = time.monotonic()
    waiting = iter(enumerate(script.follows))

    async def work(advance: Callable[[], None]) -> None:
        for place, follow in waiting:
            await asyncio.sleep(begun + place * pace - time.monotonic())
            await client.follow(follow)
            if place in script.poison:
                planted_events.add(await _plant(cluster, client, place, script.poison[place]))
            advance()

    with progress.bar("Following amid chaos", len(script.follows)) as advance:
        await asyncio.gather(*(work(advance) for _ in range(_CONCURRENCY)))
    return planted_events


async def _plant(
    cluster: Cluster, client: ApplicationClient, place: int, follow: Follow
) -> tuple[str, str]:
    stream = f"followship-{follow.follower}"
    if place % 2:
        (event_id,) = await client.follow(follow)
        return stream, event_id
    return stream, await _plant_older_form(cluster, stream, follow)


async def _plant_older_form(cluster: Cluster, stream: str, follow: Follow) -> str:
    """StoredEvents by an earlier version of the application."""
    event = {
        "id": str(uuid5(NAMESPACE_URL, f"older {follow.follower} {follow.followed}")),
        "streamId": stream,
        "type": "Followed",
        "version": 1,
        "time": datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "data": {"user_id": str(follow.follower), "target": str(follow.followed)},
        "meta": {"correlationId": "older", "hops": 0},
    }
    async for attempt in AsyncRetrying(
        retry=retry_if_exception_type(AzureError),
        wait=wait_fixed(0.1),
        stop=stop_after_delay(_PATIENCE),
        reraise=True,
    ):
        with attempt:
            async with CosmosClient(cluster.endpoint, WELL_KNOWN_KEY) as sdk:
                events = sdk.get_database_client(DATABASE).get_container_client("events")
                await events.upsert_item(event)
    return str(event["id"])


def _unlucky(number: int) -> UUID:
    return UUID(f"{POISON_PREFIX}{number:024x}")
