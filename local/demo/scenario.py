"""The demo's three acts: replay the follows, wait for the projections, check every user."""

from __future__ import annotations

import asyncio
import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from local.demo.report import Report
from local.harness.client import ApplicationClient
from local.harness.cluster import FUNCTION_KEY, Cluster
from local.harness.lag import checkpoints_by_lease, wait_until_caught_up
from local.harness.processes import peak_memory
from local.harness.verification import ExpectedState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from local.harness.follows import Follow
    from local.harness.progress import Progress

_CONCURRENCY = 32


@dataclass(frozen=True, kw_only=True)
class Timing:
    """Moments of the replay on a monotonic clock."""

    begun: float
    accepted: float
    caught_up: float


@dataclass(frozen=True, kw_only=True)
class Mishaps:
    """What happens on the way, spread evenly over the replay.

    Attributes:
        kills: How often the host is killed.
        splits: How often a physical partition is split.
    """

    kills: int = 0
    splits: int = 0

    def over(self, follows: int) -> dict[int, list[str]]:
        """What happens after so many follows."""
        planned: dict[int, list[str]] = {}
        for what, count in (("kill", self.kills), ("split", self.splits)):
            for nth in range(count):
                planned.setdefault(follows * (nth + 1) // (count + 1), []).append(what)
        return planned


async def play(
    cluster: Cluster, follows: Sequence[Follow], progress: Progress, mishaps: Mishaps
) -> Report:
    """Play the follows on the stage and report what came of them.

    Raises:
        ApplicationError: The application answered what it should not have.
        ProcessError: A process is gone for good.
    """
    expected = ExpectedState.from_follows(follows)
    async with ApplicationClient(cluster.urls, FUNCTION_KEY, _CONCURRENCY) as client:
        begun = time.monotonic()
        await _replay(cluster, client, follows, progress, mishaps)
        accepted = time.monotonic()
        projections = await wait_until_caught_up(client, progress)
        timing = Timing(begun=begun, accepted=accepted, caught_up=time.monotonic())
        with progress.bar("Checking every user", len(expected.users)) as advance:
            entities = await client.followships(expected.users, advance)
    wrong = sum(not expected.matches(user, entities[user]) for user in expected.users)
    return await _report(cluster, expected, wrong, projections, timing)


async def _replay(
    cluster: Cluster,
    client: ApplicationClient,
    follows: Sequence[Follow],
    progress: Progress,
    mishaps: Mishaps,
) -> None:
    planned = mishaps.over(len(follows))
    happening: list[asyncio.Task[None]] = []
    sent = 0
    with progress.bar("Replaying the follows", len(follows)) as advance:

        def note() -> None:
            nonlocal sent
            sent += 1
            for what in planned.get(sent, ()):
                work = cluster.kill_host() if what == "kill" else cluster.split_partition()
                happening.append(asyncio.create_task(work))
            advance()

        await client.follow_all(follows, note)
        await asyncio.gather(*happening)


async def _report(
    cluster: Cluster,
    expected: ExpectedState,
    wrong: int,
    projections: Sequence[dict[str, Any]],
    timing: Timing,
) -> Report:
    statistics = await cluster.statistics()
    stored = await cluster.stored_events()
    derived = sum(stored.was_followed.values())
    return Report(
        follows=len(expected.pairs),
        followed_events=sum(stored.followed.values()),
        was_followed_events=derived,
        users_checked=len(expected.users),
        users_wrong=wrong,
        lost=stored.lost(expected),
        duplicated=stored.duplicated(expected),
        dead_letters=len(await cluster.dead_letters()),
        throttled=statistics["throttled"],
        request_charge=round(statistics["request_charge"], 1),
        seconds=round(time.monotonic() - timing.begun, 2),
        replay_seconds=round(timing.accepted - timing.begun, 2),
        projecting_seconds=round(timing.caught_up - timing.begun, 2),
        events_per_second=round(derived / (timing.caught_up - timing.begun), 1),
        host_starts=sum(host.starts for host in cluster.hosts),
        peak_memory={**cluster.peaks, "The demo itself": peak_memory(os.getpid())},
        checkpoints=checkpoints_by_lease(projections),
    )
