"""The graph of projections, which is known before anything runs."""

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
    """A projection that derives events of type `target` from events of type `source`."""

    source: str
    target: str
    projection: str


def edges(projections: Iterable[Projection]) -> list[Edge]:
    """Return all edges, in the order of the projections."""
    return [
        Edge(source=source.stored_name, target=target.stored_name, projection=projection.name)
        for projection in projections
        for source in projection.source_types
        for target in projection.derived_types
    ]


def check_acyclic(projections: Iterable[Projection]) -> None:
    """Reject cycles in which no projection allows them.

    Raises:
        ProjectionCycleError: If there is a cycle, with its events and projections.
    """
    forbidden = edges(one for one in projections if not one.allow_cycle)
    sorter: TopologicalSorter[str] = TopologicalSorter()
    for edge in forbidden:
        if edge.source == edge.target:
            raise ProjectionCycleError(_message([edge.source, edge.target], forbidden))
        sorter.add(edge.target, edge.source)
    try:
        sorter.prepare()
    except CycleError as error:
        raise ProjectionCycleError(_message(error.args[1], forbidden)) from None


def _message(cycle: list[str], known: list[Edge]) -> str:
    by_types = {(edge.source, edge.target): edge.projection for edge in known}
    steps = [f" -[{by_types[source, target]}]-> {target}" for source, target in pairwise(cycle)]
    return (
        f"Projections form a cycle: {cycle[0]}{''.join(steps)}. "
        "Break it, or declare one of them with @projection(allow_cycle=True) if it is intended."
    )
