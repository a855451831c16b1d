"""`python -m benchmarks redelivery`: what a repeated batch makes reappear in the change feed."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Annotated, Any

import typer

from benchmarks.cosmos import account
from benchmarks.events import among, announced, followed
from benchmarks.output import JsonOption, save, show
from benchmarks.stations.projections import announcements
from core.application import Application
from core.errors import DeadlineExceededError
from core.model.registry import Registry
from examples.followship.projections import followship

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from azure.cosmos.aio import ContainerProxy

_ENOUGH = 600.0
_MODULES = (followship, announcements)


def redelivery(
    fan_out: Annotated[int, typer.Option(min=100_000, help="Size of the large one.")] = 100_000,
    json_file: JsonOption = None,
) -> None:
    """Repeat batches in the same process and in another one, and count what reappears."""
    asyncio.run(_measure(fan_out, json_file))


async def _measure(fan_out: int, json_file: Path | None) -> None:
    logging.disable(logging.WARNING)
    small = [followed(number, among(number, 5_000)) for number in range(20_000)]
    large = [announced("a", fan_out // 100, 100)]
    runs = [
        await _run(f"{what}, {where}", module, batch, budget, other=where == "another process")
        for what, module, batch, budget in (
            ("20,000 events", "followship", small, 1.0),
            (f"one to {fan_out:,}", "announcements", large, 2.0),
        )
        for where in ("same process", "another process")
    ]
    show("Derived events that reappear in the change feed after a failed attempt", runs)
    save(runs, json_file)


async def _run(
    name: str, module: str, batch: Sequence[dict[str, Any]], budget: float, *, other: bool
) -> dict[str, Any]:
    """Let an attempt end with its budget, then project the batch to its end."""
    async with account() as (environ, database):
        events = database.get_container_client("events")
        process = _process(environ, budget)
        if await _done(process, module, batch):
            raise RuntimeError(f"{name}: the attempt did not fail within {budget:g} s.")
        before = await _versions(events)
        if other:
            await process.close()
            process = _process(environ, _ENOUGH)
        while not await _done(process, module, batch):
            pass
        await process.close()
        after = await _versions(events)
    again = sum(after[event_id] != version for event_id, version in before.items())
    return {
        "run": name,
        "derived": len(after),
        "durable_when_it_failed": len(before),
        "reappeared": again,
        "per_redelivered": round(again / len(before), 3),
    }


def _process(environ: dict[str, str], budget: float) -> Application:
    """A process that remembers nothing."""
    settings = {**environ, "InvocationTimeoutSeconds": str(budget)}
    return Application(Registry.from_modules(_MODULES), settings)


async def _done(process: Application, module: str, batch: Sequence[dict[str, Any]]) -> bool:
    try:
        await process.project(module, batch)
    except DeadlineExceededError:
        return False
    return True


async def _versions(events: ContainerProxy) -> dict[str, int]:
    """The transaction that each derived event was last written by."""
    changes = events.query_items_change_feed(start_time="Beginning")
    return {change["id"]: change["_lsn"] async for change in changes}
