"""`python -m benchmarks redelivery`: what a repeated batch makes reappear in the change feed."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Any

import typer

from benchmarks.cosmos import account
from benchmarks.events import announced, followed
from benchmarks.output import JsonOption, show
from core.application import Application
from local.trial import projections

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from azure.cosmos.aio import ContainerProxy


def redelivery(
    fan_out: Annotated[int, typer.Option(min=30_000, help="Size of the large one.")] = 50_000,
    json_file: JsonOption = None,
) -> None:
    """Repeat batches in the same process and in another one, and count what reappears."""
    asyncio.run(_measure(fan_out, json_file))


async def _measure(fan_out: int, json_file: Path | None) -> None:
    logging.disable(logging.WARNING)
    small = [followed(number, 5_000) for number in range(2_000)]
    large = [announced("a", fan_out // 100, 100)]
    rows = [
        await _case("2,000 events, again in the same process", "followship", small, other=False),
        await _case("2,000 events, again in another process", "followship", small, other=True),
        await _case(
            f"one to {fan_out:,}, again in the same process", "announcements", large, other=False
        ),
        await _case(
            f"one to {fan_out:,}, again in another process", "announcements", large, other=True
        ),
    ]
    show("Derived events that reappear in the change feed", rows, json_file)


async def _case(
    name: str, module: str, batch: Sequence[dict[str, Any]], *, other: bool
) -> dict[str, Any]:
    """Stop an attempt half way, then project the batch to its end."""
    async with account() as (environ, database):
        events = database.get_container_client("events")
        process = Application.discover(projections, environ)
        attempt = asyncio.create_task(process.project(module, batch))
        while not attempt.done() and await _count(events) < _expected(batch) // 2:  # noqa: ASYNC110 - it is in another process
            await asyncio.sleep(0.02)
        attempt.cancel()
        with suppress(asyncio.CancelledError):
            await attempt
        before = await _versions(events)
        if other:
            await process.close()
            process = Application.discover(projections, environ)
        outcome = await process.project(module, batch)
        await process.close()
        after = await _versions(events)
    again = sum(after[each] != version for each, version in before.items())
    return {
        "run": name,
        "durable_before": len(before),
        "not_sent_again": outcome.spared,
        "reappeared": again,
        "per_redelivered": round(again / len(before), 3),
    }


def _expected(batch: Sequence[dict[str, Any]]) -> int:
    data = batch[0]["data"]
    return int(data["listeners"] * data["times"]) if "listeners" in data else len(batch)


async def _count(events: ContainerProxy) -> int:
    found = events.query_items("SELECT VALUE COUNT(1) FROM c")
    return sum([int(each) async for each in found])  # type: ignore[call-overload] # a number


async def _versions(events: ContainerProxy) -> dict[str, int]:
    """The transaction that each derived event was last written by."""
    changes = events.query_items_change_feed(start_time="Beginning")
    return {each["id"]: each["_lsn"] async for each in changes}
