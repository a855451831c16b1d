"""`python -m benchmarks writing`: our writer beside what people would use instead."""

from __future__ import annotations

import asyncio
from pathlib import Path  # noqa: TC003 - typer reads the annotations
from statistics import median
from typing import TYPE_CHECKING, Annotated, Any

import typer

from benchmarks.cosmos import account
from benchmarks.output import JsonOption, save, show
from benchmarks.peers import PEERS, Spent, install_javascript
from benchmarks.plots import Plot
from benchmarks.targets import target
from benchmarks.workloads import FOLLOWS, derived, real
from core.settings import Settings
from local.harness.follows import POLBLOGS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from azure.cosmos.aio import DatabaseProxy

    from core.writing.writes import Write
    from local.harness.follows import Follow

_SLOW = {"upsert_item one by one", "upsert_item, gather of 50", "ours, BulkWritesEnabled=off"}


def writing(
    documents: Annotated[int, typer.Option(min=1_000, help="Documents in a run.")] = 20_000,
    rounds: Annotated[int, typer.Option(min=1, help="Runs of each, in turn.")] = 5,
    graph: Annotated[Path, typer.Option(help="File of follows, for the real ones.")] = POLBLOGS,
    json_file: JsonOption = None,
) -> None:
    """Write the same derived events in seven ways, in turn, into fresh containers.

    The slow ways get a tenth of the documents; all figures are for one document.
    """
    install_javascript()
    follows = {
        "spread": FOLLOWS["spread"](documents),
        "hot": FOLLOWS["hot"](documents),
        "real": real(documents, graph),
    }
    runs = asyncio.run(_measure(follows, rounds))
    for name, spent in runs.items():
        show(f"{name}: {documents:,} documents, {rounds} rounds, medians", _rows(spent))
    figures = {name: _rows(spent) for name, spent in runs.items()}
    save(figures, json_file, _plot(figures))


async def _measure(
    follows: Mapping[str, Sequence[Follow]], rounds: int
) -> dict[str, dict[str, list[Spent]]]:
    """What each way spent on one document, by workload and way."""
    measured: dict[str, dict[str, list[Spent]]] = {}
    for name, graph in follows.items():
        writes = derived(graph)
        measured[name] = {peer: [] for peer in PEERS}
        async with account() as (environ, database):
            for _ in range(rounds):
                for peer, spent in measured[name].items():
                    few = writes[: len(writes) // 10] if peer in _SLOW else writes
                    spent.append(await _once(peer, Settings.from_environ(environ), database, few))
    return measured


async def _once(
    peer: str, settings: Settings, database: DatabaseProxy, writes: Sequence[Write]
) -> Spent:
    endpoint = settings.require_connection().endpoint
    async with target(endpoint, database, settings) as opened:
        spent = await PEERS[peer](opened, writes)
    return Spent(spent.seconds / len(writes), spent.processor / len(writes))


def _rows(spent: dict[str, list[Spent]]) -> list[dict[str, Any]]:
    """A figure for each way; ratios to ours, of medians."""
    mine = [one.seconds for one in spent["ours"]]
    processor = [one.processor for one in spent["ours"]]
    return [
        {
            "run": name,
            "documents_a_second": round(1 / median(one.seconds for one in rounds)),
            "least": round(1 / max(one.seconds for one in rounds)),
            "most": round(1 / min(one.seconds for one in rounds)),
            "processor_us_a_document": round(median(one.processor for one in rounds) * 1e6, 1),
            "ours_is_faster": round(median(one.seconds for one in rounds) / median(mine), 2),
            "ours_spends_less": round(
                median(one.processor for one in rounds) / median(processor), 2
            ),
        }
        for name, rounds in spent.items()
    ]


def _plot(figures: dict[str, list[dict[str, Any]]]) -> Plot:
    return Plot(
        title="Documents written a second",
        unit="documents a second",
        places=list(figures),
        series={
            peer: [rows[nth]["documents_a_second"] for rows in figures.values()]
            for nth, peer in enumerate(PEERS)
        },
        logarithmic=True,
    )
