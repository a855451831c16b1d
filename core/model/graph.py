"""Which events lead to which: the projection graph, known before anything runs."""

from __future__ import annotations

from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise
from typing import TYPE_CHECKING

from core.errors import ProjectionCycleError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from core.model.projections import Projection


@dataclass(frozen=True, kw_only=True)
class Edge:
    """A projection may make events of type `target` from one of type `source`."""

    source: str
    target: str
    projection: str


def edges(projections: Iterable[Projection]) -> list[Edge]:
    """All edges, in the order of the projections."""
    return [
        Edge(source=trigger.__name__, target=emitted.__name__, projection=each.name)
        for each in projections
        for trigger in each.source_types
        for emitted in each.derived_types
    ]


def check_acyclic(projections: Iterable[Projection]) -> None:
    """Refuse a cycle, unless one of its projections says that it is meant.

    Raises:
        ProjectionCycleError: Spells out the cycle, event by event and projection by projection.
    """
    unmeant = edges(each for each in projections if not each.cyclic)
    sorter: TopologicalSorter[str] = TopologicalSorter()
    for edge in unmeant:
        if edge.source == edge.target:
            raise ProjectionCycleError(_message([edge.source, edge.target], unmeant))
        sorter.add(edge.target, edge.source)
    try:
        sorter.prepare()
    except CycleError as error:
        raise ProjectionCycleError(_message(error.args[1], unmeant)) from None


def _message(cycle: list[str], known: list[Edge]) -> str:
    by_types = {(edge.source, edge.target): edge.projection for edge in known}
    steps = [f" -[{by_types[source, target]}]-> {target}" for source, target in pairwise(cycle)]
    return (
        f"Projections form a cycle: {cycle[0]}{''.join(steps)}. "
        "Break it, or declare one of them @projection(cyclic=True) if it is meant."
    )
