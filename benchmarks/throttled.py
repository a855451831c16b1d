"""`python -m benchmarks throttled`: more is offered than the account takes."""

from __future__ import annotations

import asyncio
import json
import logging
from contextlib import suppress
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Annotated, Any

import aiohttp
import typer
from azure.cosmos.exceptions import CosmosHttpResponseError

from benchmarks.cosmos import account
from benchmarks.output import JsonOption, save, show
from benchmarks.peers import install_javascript, javascript, ours
from benchmarks.plots import Plot
from benchmarks.targets import target
from benchmarks.workloads import derived, one_hot, spread
from core.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from azure.cosmos.aio import DatabaseProxy

    from benchmarks.targets import Target
    from core.writing.writes import Write

_BUDGETS = (1_000, 4_000, 10_000)
_PARTITIONS = (1, 4, 16)
_BESIDE_PEERS = 4
"""Partitions of the account on which the peers are measured as well."""

_OFFERED = 60_000
"""Documents: more than can be written in the time, so that no partition runs out of them."""


_WARM = 3.0
"""Seconds before counting begins, in which the budget is found."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """What is offered to what.

    Attributes:
        budget: RU/s of the container.
        writes: What there is to write.
        seconds: Seconds that are counted.
    """

    budget: int
    writes: Sequence[Write]
    seconds: float


_COUNTED = {
    "requests": "requests",
    "throttled": "throttledRequests",
    "throttled_operations": "throttledOperations",
    "request_charge": "requestCharge",
}
"""The figures of a container that are compared before and after."""


@dataclass(frozen=True, kw_only=True)
class Window:
    """What the account counted over some seconds."""

    seconds: float
    requests: int
    throttled: int
    throttled_operations: int
    request_charge: float


def throttled(
    rounds: Annotated[int, typer.Option(min=1, help="Runs of each, in turn.")] = 5,
    seconds: Annotated[float, typer.Option(min=0.5, help="Seconds that are counted.")] = 8.0,
    partitions: Annotated[list[int] | None, typer.Option(help="How many; several times.")] = None,
    budget: Annotated[list[int] | None, typer.Option(help="RU/s; several times.")] = None,
    json_file: JsonOption = None,
) -> None:
    """Offer more than the account takes: even, and with half of it for one hot stream."""
    measured = partitions or _PARTITIONS
    if _BESIDE_PEERS in measured:
        install_javascript()
    logging.disable(logging.WARNING)
    loads = {"even": derived(spread(_OFFERED)), "one hot": derived(one_hot(_OFFERED))}
    rows: list[dict[str, Any]] = []
    cases = [
        (
            f"{request_units:,} over {{}}, {load}",
            Case(budget=request_units, writes=writes, seconds=seconds),
        )
        for request_units in budget or _BUDGETS
        for load, writes in loads.items()
    ]
    for several in measured:
        rows += asyncio.run(_on(several, cases, rounds))
    show(f"Request units used of the budget, {rounds} rounds of {seconds:g} s, medians", rows)
    save(rows, json_file, _plot(rows))


async def _on(
    partitions: int, cases: Sequence[tuple[str, Case]], rounds: int
) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    peers = PEERS if partitions == _BESIDE_PEERS else {"ours": ours}
    async with account(partitions) as (environ, database):
        settings = Settings.from_environ(environ)
        for name, case in cases:
            measured: dict[str, list[Window]] = {peer: [] for peer in peers}
            for _ in range(rounds):
                for peer, windows in measured.items():
                    windows.append(await _once(peer, settings, database, case))
            rows += [
                _row(f"{name.format(partitions)}: {peer}", case.budget, windows)
                for peer, windows in measured.items()
            ]
    return rows


async def _once(peer: str, settings: Settings, database: DatabaseProxy, case: Case) -> Window:
    endpoint = settings.require_connection().endpoint
    async with target(endpoint, database, settings, case.budget) as opened:
        work = asyncio.ensure_future(PEERS[peer](opened, case.writes))
        try:
            return await _counted(endpoint, f"{settings.database}/target", case)
        finally:
            work.cancel()
            with suppress(asyncio.CancelledError):
                await work


async def _counted(endpoint: str, container: str, case: Case) -> Window:
    loop = asyncio.get_running_loop()
    async with aiohttp.ClientSession() as session:

        async def count() -> tuple[float, dict[str, Any]]:
            async with session.get(f"{endpoint}_local/statistics") as answer:
                return loop.time(), (await answer.json())["containers"][container]

        await asyncio.sleep(_WARM)
        begun, before = await count()
        await asyncio.sleep(case.seconds)
        ended, after = await count()
    counted = {name: after[key] - before[key] for name, key in _COUNTED.items()}
    return Window(seconds=ended - begun, **counted)


def _row(name: str, budget: int, windows: Sequence[Window]) -> dict[str, Any]:
    used = [window.request_charge / (budget * window.seconds) for window in windows]
    requests = sum(window.requests for window in windows)
    refused = sum(window.throttled for window in windows)
    return {
        "run": name,
        "used": round(median(used), 3),
        "least": round(min(used), 3),
        "most": round(max(used), 3),
        "requests_a_second": round(requests / sum(window.seconds for window in windows), 1),
        "refused": round(refused / max(requests, 1), 4),
        "refused_operations_a_second": round(
            sum(window.throttled_operations for window in windows)
            / sum(window.seconds for window in windows),
            1,
        ),
    }


async def _gathered(target: Target, writes: Sequence[Write]) -> None:
    """`upsert_item`, 50 at once; what the SDK gives up after its own retries is gone."""
    waiting = iter([write.body for write in writes])

    async def work() -> None:
        for body in waiting:
            with suppress(CosmosHttpResponseError):
                await target.plain.upsert_item(json.loads(body))

    await asyncio.gather(*(work() for _ in range(50)))


PEERS: dict[str, Callable[[Target, Sequence[Write]], Awaitable[object]]] = {
    "ours": ours,
    "gather of 50": _gathered,
    "JavaScript bulk": javascript,
}


def _plot(rows: Sequence[dict[str, Any]]) -> Plot:
    places = list(dict.fromkeys(str(row["run"]).rpartition(": ")[0] for row in rows))
    used = {row["run"]: row["used"] for row in rows}
    return Plot(
        title="Request units used of the budget: RU/s, physical partitions, load",
        unit="share of the budget",
        places=places,
        series={peer: [used.get(f"{place}: {peer}") for place in places] for peer in PEERS},
    )
