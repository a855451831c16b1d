"""Waits until the projections have caught up."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from local.stage.client import ApplicationError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from local.stage.client import Client
    from local.stage.progress import Progress

_POLL_SECONDS = 0.25
_PATIENCE = 120.0


async def catch_up(client: Client, progress: Progress) -> list[dict[str, Any]]:
    """Wait until all leases are caught up and stay so from one look to the next.

    One look is not enough: what one lease's last batch derived may lie in the partition of
    another lease that was looked at before.

    Raises:
        ApplicationError: No checkpoint has moved for two minutes.
    """
    before: dict[str, str | None] | None = None
    seen: dict[str, str | None] = {}
    moved = time.monotonic()
    with progress.spinner("Waiting for the projections") as show:
        while True:
            projections = await client.projections()
            checkpoints = checkpoints_of(projections)
            caught_up = all(each["caught_up"] for each in projections)
            if caught_up and checkpoints == before:
                return projections
            before = checkpoints if caught_up else None
            if checkpoints != seen:
                seen, moved = checkpoints, time.monotonic()
            if time.monotonic() - moved > _PATIENCE:
                raise ApplicationError(f"The projections do not catch up: {projections}.")
            show(sum(each["lag_transactions"] or 0 for each in projections))
            await asyncio.sleep(_POLL_SECONDS)


def checkpoints_of(projections: Sequence[dict[str, Any]]) -> dict[str, str | None]:
    """The checkpoint of every lease."""
    return {
        lease["id"]: lease["checkpoint"]
        for projection in projections
        for lease in projection["leases"]
    }
