"""Waiting until the projection modules have caught up."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from local.harness.client import ApplicationError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from local.harness.client import ApplicationClient
    from local.harness.progress import Progress

_POLL_SECONDS = 0.25
_STALLED_SECONDS = 120.0


async def wait_until_caught_up(
    client: ApplicationClient, progress: Progress
) -> list[dict[str, Any]]:
    """Return the status of each module, once every lease has caught up in two polls in a row.

    One poll is not enough: the last batch of one lease may have written derived events to the
    partition of another lease, which was read before.

    Raises:
        ApplicationError: If no checkpoint advances for two minutes.
    """
    previous: dict[str, str | None] | None = None
    latest: dict[str, str | None] = {}
    advanced_at = time.monotonic()
    with progress.spinner("Waiting for the projections") as show_lag:
        while True:
            statuses = await client.module_statuses()
            checkpoints = checkpoints_by_lease(statuses)
            caught_up = all(status["caughtUp"] for status in statuses)
            if caught_up and checkpoints == previous:
                return statuses
            previous = checkpoints if caught_up else None
            if checkpoints != latest:
                latest, advanced_at = checkpoints, time.monotonic()
            if time.monotonic() - advanced_at > _STALLED_SECONDS:
                raise ApplicationError(f"The projections do not catch up: {statuses}.")
            show_lag(sum(status["lagTransactions"] or 0 for status in statuses))
            await asyncio.sleep(_POLL_SECONDS)


def checkpoints_by_lease(statuses: Sequence[dict[str, Any]]) -> dict[str, str | None]:
    """Return the checkpoint of every lease."""
    return {lease["id"]: lease["checkpoint"] for status in statuses for lease in status["leases"]}
