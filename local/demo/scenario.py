"""The scenario of the demo: send the follows, wait for the projections, check every user."""

from __future__ import annotations

import asyncio
import os
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

from local.demo.report import ClientReport, DemoReport
from local.harness.client import ApplicationClient
from local.harness.cluster import FUNCTION_KEY
from local.harness.lag import checkpoints_by_lease, wait_until_caught_up
from local.harness.processes import peak_memory
from local.harness.verification import ExpectedState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from local.harness.cluster import Cluster
    from local.harness.follows import Follow
    from local.harness.progress import Progress

DisruptionKind = Literal["kill", "split"]

_CONCURRENCY = 32
_SENDING = "Sending the follows"


@dataclass(frozen=True, kw_only=True)
class Disruptions:
    """Disruptions that are spread evenly over the follows.

    Attributes:
        kills: The number of times that the host is killed.
        splits: The number of times that a physical partition is split.
    """

    kills: int = 0
    splits: int = 0

    def schedule(self, follows: int) -> dict[int, list[DisruptionKind]]:
        """Return the disruptions by the number of accepted follows before each."""
        counts: dict[DisruptionKind, int] = {"kill": self.kills, "split": self.splits}
        planned: dict[int, list[DisruptionKind]] = {}
        for kind, count in counts.items():
            for nth in range(1, count + 1):
                planned.setdefault(follows * nth // (count + 1), []).append(kind)
        return planned


@dataclass(frozen=True, kw_only=True)
class _Sent:
    """Follows that were sent.

    Attributes:
        expected: The state that follows from them.
        started: The monotonic time of the first command.
        accepted: The monotonic time at which the last command was accepted.
    """

    expected: ExpectedState
    started: float
    accepted: float


async def run_demo_on_app(
    url: str, function_key: str, follows: Sequence[Follow], progress: Progress
) -> ClientReport:
    """Run the demo on an application that runs already, and return the report.

    Raises:
        ApplicationError: If the application returns an unexpected response.
    """
    async with ApplicationClient([url.rstrip("/")], function_key, _CONCURRENCY) as client:
        started = time.monotonic()
        with progress.bar(_SENDING, len(follows)) as advance:
            await client.follow_all(follows, advance)
        report, _ = await _verify(client, _sent(follows, started), progress)
    return report


async def run_demo(
    cluster: Cluster, follows: Sequence[Follow], disruptions: Disruptions, progress: Progress
) -> DemoReport:
    """Run the demo on a cluster, and return the report.

    Raises:
        ApplicationError: If the application returns an unexpected response.
        ProcessError: If a process cannot be restarted.
    """
    async with ApplicationClient(cluster.urls, FUNCTION_KEY, _CONCURRENCY) as client:
        started = time.monotonic()
        await _send_with_disruptions(cluster, client, follows, disruptions, progress)
        sent = _sent(follows, started)
        report, statuses = await _verify(client, sent, progress)
    return await _demo_report(cluster, report, statuses, sent)


def _sent(follows: Sequence[Follow], started: float) -> _Sent:
    accepted = time.monotonic()
    return _Sent(expected=ExpectedState.from_follows(follows), started=started, accepted=accepted)


async def _send_with_disruptions(
    cluster: Cluster,
    client: ApplicationClient,
    follows: Sequence[Follow],
    disruptions: Disruptions,
    progress: Progress,
) -> None:
    planned = disruptions.schedule(len(follows))
    tasks: list[asyncio.Task[None]] = []
    accepted = 0
    with progress.bar(_SENDING, len(follows)) as advance:

        def record_accepted() -> None:
            nonlocal accepted
            accepted += 1
            for kind in planned.get(accepted, ()):
                work = cluster.kill_host() if kind == "kill" else cluster.split_partition()
                tasks.append(asyncio.create_task(work))
            advance()

        await client.follow_all(follows, record_accepted)
        await asyncio.gather(*tasks)


async def _verify(
    client: ApplicationClient, sent: _Sent, progress: Progress
) -> tuple[ClientReport, list[dict[str, Any]]]:
    """Return the client's report and the status of each module."""
    statuses = await wait_until_caught_up(client, progress)
    caught_up = time.monotonic()
    with progress.bar("Checking every user", len(sent.expected.users)) as advance:
        entities = await client.followships(sent.expected.users, advance)
    report = ClientReport(
        follows=len(sent.expected.pairs),
        users_checked=len(sent.expected.users),
        users_incorrect=sent.expected.count_mismatches(entities),
        accepted_seconds=round(sent.accepted - sent.started, 2),
        caught_up_seconds=round(caught_up - sent.started, 2),
    )
    return report, statuses


async def _demo_report(
    cluster: Cluster, report: ClientReport, statuses: Sequence[dict[str, Any]], sent: _Sent
) -> DemoReport:
    statistics = await cluster.statistics()
    stored = await cluster.stored_events()
    derived = sum(stored.was_followed.values())
    return DemoReport(
        **asdict(report),
        followed_events=sum(stored.followed.values()),
        was_followed_events=derived,
        lost=stored.lost(sent.expected),
        duplicated=stored.duplicated(sent.expected),
        dead_letters=len(await cluster.dead_letters()),
        throttled=statistics["throttledRequests"],
        request_charge=round(statistics["requestCharge"], 1),
        seconds=round(time.monotonic() - sent.started, 2),
        events_per_second=round(derived / report.caught_up_seconds, 1),
        host_starts=sum(host.starts for host in cluster.hosts),
        peak_memory={**cluster.peaks, "The demo itself": peak_memory(os.getpid())},
        checkpoints=checkpoints_by_lease(statuses),
    )
