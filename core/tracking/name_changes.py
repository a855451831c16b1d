"""How the names of projections differ from those that hosts recorded before; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from core.tracking.coverage import type_names

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from core.model.projections import Projection
    from core.model.registry import ProjectionModule
    from core.tracking.coverage import CoverageRecord, RecordedProjection


class NameChanges(NamedTuple):
    """How the names of projections differ from those in the records.

    Attributes:
        added: The names that are not recorded.
        gone: The names that are recorded, and that the application does not have.
        renamed: The names of those that look renamed, by their former names.
    """

    added: tuple[str, ...]
    gone: tuple[str, ...]
    renamed: Mapping[str, str]


def name_changes(
    records: Iterable[CoverageRecord], modules: Iterable[ProjectionModule]
) -> NameChanges:
    """Return how the names of projections differ from those in the records.

    One looks renamed if it derives the same types from the same types of events as one that is
    gone, and was recorded later or not at all.
    """
    recorded = {name: one for record in records for name, one in record.projections.items()}
    declared = {one.name: one for module in modules for one in module.projections}
    gone = sorted(recorded.keys() - declared.keys())
    renamed = {
        former: name
        for former in gone
        for name, projection in declared.items()
        if _is_alike(recorded[former], projection)
        and (name not in recorded or recorded[name].recorded_at > recorded[former].recorded_at)
    }
    return NameChanges(
        added=tuple(sorted(declared.keys() - recorded.keys())),
        gone=tuple(name for name in gone if name not in renamed),
        renamed=renamed,
    )


def _is_alike(recorded: RecordedProjection, projection: Projection) -> bool:
    return sorted(recorded.sources) == sorted(
        type_names(projection.source_types)
    ) and recorded.derived_types == type_names(projection.derived_types)
