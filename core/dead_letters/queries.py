"""The queries over dead letters.

They name the columns that they need, as a dead letter holds up to 32 KB. Their conditions are on
indexed columns.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.cosmos.container import Query
from core.dead_letters.dead_letter import DeadLetterSummary

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_COLUMNS = ", ".join(
    f'c["{field.alias}"]'
    for name, field in DeadLetterSummary.model_fields.items()
    if name != "unreadable"
)
"""The columns of a list, quoted because `group` is a keyword."""

_OPEN = "(c.state IN ('waiting', 'blocking') OR NOT IS_DEFINED(c.state))"


@dataclass(frozen=True, kw_only=True)
class DeadLetterFilter:
    """Which dead letters a list shows; all that are not discarded, unless an attribute says so.

    Attributes:
        name: Their projection or their module.
        module: Their module.
        projection: Their projection.
        discarded: Whether those that are discarded are shown instead of the others.
    """

    name: str | None = None
    module: str | None = None
    projection: str | None = None
    discarded: bool = False


def listing(selection: DeadLetterFilter) -> Query:
    """Return the query for what a list shows."""
    conditions = ["c.state = 'discarded'" if selection.discarded else _OPEN]
    if selection.name is not None:
        conditions.append("(c.module = @name OR c.projection = @name)")
    if selection.module is not None:
        conditions.append("c.module = @module")
    if selection.projection is not None:
        conditions.append("c.projection = @projection")
    values = {
        "@name": selection.name,
        "@module": selection.module,
        "@projection": selection.projection,
    }
    parameters = {name: value for name, value in values.items() if value is not None}
    return _select(_COLUMNS, conditions, parameters)


def blocking(module: str | None) -> Query:
    """Return the query for the dead letters that block leases, of one module or of all."""
    conditions = ["c.state = 'blocking'"]
    if module is None:
        return _select(_COLUMNS, conditions, {})
    return _select(f"{_COLUMNS}, c._etag", [*conditions, "c.module = @module"], {"@module": module})


def of_event(module: str, stream_id: str, event_id: str) -> Query:
    """Return the query for the dead letters of an event in a module."""
    return _select(
        "*",
        ["c.module = @module", "c.streamId = @stream", "c.eventId = @event"],
        {"@module": module, "@stream": stream_id, "@event": event_id},
    )


def any_open(module: str) -> Query:
    """Return the query for dead letters of a module that are not discarded."""
    return _select("c.id", ["c.module = @module", _OPEN], {"@module": module})


def open_streams(module: str, stream_ids: Sequence[object]) -> Query:
    """Return the query for those streams that have dead letters of a module."""
    return _select(
        "DISTINCT c.streamId",
        ["c.module = @module", _OPEN, "ARRAY_CONTAINS(@streams, c.streamId)"],
        {"@module": module, "@streams": list(stream_ids)},
    )


def first_of_stream(module: str, projections: Iterable[str], stream_id: object) -> Query:
    """Return the query for the first dead letter of a stream.

    It is one of these projections, or of an event that cannot be read.
    """
    query = _select(
        "TOP 1 c.id, c.streamOrder",
        [
            "c.module = @module",
            "c.streamId = @stream",
            _OPEN,
            "(IS_NULL(c.projection) OR ARRAY_CONTAINS(@projections, c.projection))",
        ],
        {"@module": module, "@stream": stream_id, "@projections": list(projections)},
    )
    return Query(f"{query.text} ORDER BY c.streamOrder", query.parameters)


def _select(columns: str, conditions: Iterable[str], parameters: Mapping[str, object]) -> Query:
    text = f"SELECT {columns} FROM c WHERE {' AND '.join(conditions)}"  # noqa: S608 - of constants
    return Query(text, parameters)
