"""Since when each projection is given every event, as records in the lease container; pure.

A projection that is added to a module whose leases are past the beginning has not seen what came
before, and in a rolling deployment hosts without it still take events for a while. A host records
what it has, and what it lacks of what others recorded.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from pydantic import AwareDatetime, Field, ValidationError

from core.camel_model import CamelModel

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from core.model.events import Event
    from core.model.projections import Projection
    from core.model.registry import ProjectionModule

COVERAGE_PREFIX = "coverage."
"""The prefix of the ids of the records: module names have no dot, so no lease begins with it."""

CHECK_INTERVAL = timedelta(minutes=1)
"""The time for which a host does not look at a record again."""

_PENDING = timedelta(minutes=10)
"""The time without a host that lacks a projection after which no such host is expected."""


class SourceCoverage(CamelModel):
    """Which events of one type a projection is given."""

    from_beginning: bool
    """Whether it was given all events that were stored before this was recorded."""

    recorded_at: AwareDatetime
    """The time of the first batch that it was given."""

    absent_at: AwareDatetime | None = None
    """The last time that a host without it was seen to take events, null if none was."""

    returned_at: AwareDatetime | None = None
    """The first time after it that a host with it was seen."""

    @property
    def is_absent(self) -> bool:
        """Whether hosts without it were seen last."""
        absent, returned = self.absent_at, self.returned_at
        return absent is not None and (returned is None or returned < absent)

    @property
    def changed_at(self) -> datetime:
        """The time of the last change."""
        return max(filter(None, (self.recorded_at, self.absent_at, self.returned_at)))

    @property
    def since(self) -> datetime | None:
        """The time since when it is given every event that is stored, None from the beginning.

        A host that looked just before the last change may have taken events for a while after it.
        """
        if self.from_beginning and self.absent_at is None:
            return None
        return self.changed_at + CHECK_INTERVAL


class RecordedProjection(CamelModel):
    """A projection as hosts had it."""

    derived_types: tuple[str, ...]
    """The types of its derived events."""

    sources: dict[str, SourceCoverage] = Field(min_length=1)
    """What it is given, by the type of the source events."""

    @property
    def recorded_at(self) -> datetime:
        """The time of the first batch that it was given."""
        return min(source.recorded_at for source in self.sources.values())


class CoverageRecord(CamelModel):
    """What the projections of a module are given."""

    module: str
    """The name of the module."""

    projections: dict[str, RecordedProjection]
    """What hosts had, by the name of the projection."""

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> CoverageRecord | None:
        """Return what a document stores, None if it cannot be read."""
        try:
            return cls.model_validate(document)
        except ValidationError:
            return None

    def to_document(self) -> dict[str, Any]:
        """Return the document that stores it."""
        return {"id": coverage_id(self.module), **self.to_dict()}


class ProjectionCoverage(CamelModel):
    """What a projection is given, as the status shows it."""

    projection: str
    """The name of the projection."""

    since: datetime | None
    """The time since when it is given every event; null from the beginning."""

    has_gap: bool
    """Whether hosts without it took events after it had been there."""

    is_pending: bool
    """Whether hosts without it may still be running, so that `since` may move."""


def coverage_id(module: str) -> str:
    """Return the id of the record of a module."""
    return f"{COVERAGE_PREFIX}{module}"


def coverage_records(documents: Iterable[Mapping[str, Any]]) -> dict[str, CoverageRecord]:
    """Return the records among documents of the lease container, by module."""
    records = (
        CoverageRecord.from_document(document)
        for document in documents
        if str(document["id"]).startswith(COVERAGE_PREFIX)
    )
    return {record.module: record for record in records if record is not None}


def is_complete(record: CoverageRecord | None, module: ProjectionModule) -> bool:
    """Return whether a record says that a module's projections were given everything."""
    return record is not None and all(
        source is not None and source.since is None
        for projection in module.projections
        for source in _recorded_sources(record, projection).values()
    )


def updated_record(
    record: CoverageRecord | None,
    module: ProjectionModule,
    now: datetime,
    *,
    is_beginning: bool = False,
) -> CoverageRecord:
    """Return the record as it should be when a host with the module takes events.

    Args:
        record: The record that is stored, None if there is none.
        module: The module as the host has it.
        now: The current time.
        is_beginning: Whether no lease of the module has a checkpoint, so that everything comes.
    """
    record = record or CoverageRecord(module=module.name, projections={})
    projections = {
        name: recorded.model_copy(
            update={"sources": {key: _absent(one, now) for key, one in recorded.sources.items()}}
        )
        for name, recorded in record.projections.items()
    }
    for projection in module.projections:
        before = projections.get(projection.name)
        present = {
            key: _present(source, now, is_beginning=is_beginning)
            for key, source in _recorded_sources(record, projection).items()
        }
        projections[projection.name] = RecordedProjection(
            derived_types=type_names(projection.derived_types),
            sources={**(before.sources if before else {}), **present},
        )
    return record.model_copy(update={"projections": projections})


def coverage_of(
    record: CoverageRecord | None, module: ProjectionModule, now: datetime
) -> tuple[ProjectionCoverage, ...]:
    """Return what each projection of a module is given, by a record and at a time."""
    return tuple(
        _coverage_of(projection.name, _recorded_sources(record, projection), now)
        for projection in module.projections
    )


def type_names(types: Iterable[type[Event]]) -> tuple[str, ...]:
    """Return the names of event types in a stable order."""
    return tuple(sorted(event_type.stored_name for event_type in types))


def _coverage_of(
    name: str, sources: Mapping[str, SourceCoverage | None], now: datetime
) -> ProjectionCoverage:
    known = [source for source in sources.values() if source is not None]
    since = [source.since for source in known if source.since is not None]
    if len(known) < len(sources):
        since.append(now)
    return ProjectionCoverage(
        projection=name,
        since=max(since, default=None),
        has_gap=any(source.absent_at is not None for source in known),
        is_pending=bool(since) and now - max(since) < _PENDING,
    )


def _recorded_sources(
    record: CoverageRecord | None, projection: Projection
) -> dict[str, SourceCoverage | None]:
    """Return what is recorded of a projection's sources, by their type."""
    recorded = record.projections.get(projection.name) if record else None
    sources = recorded.sources if recorded else {}
    return {name: sources.get(name) for name in type_names(projection.source_types)}


def _present(source: SourceCoverage | None, now: datetime, *, is_beginning: bool) -> SourceCoverage:
    """Return what is recorded of a source that the host has."""
    if source is None or (is_beginning and source.since is not None):
        return SourceCoverage(from_beginning=is_beginning, recorded_at=now)
    return source.model_copy(update={"returned_at": now}) if source.is_absent else source


def _absent(source: SourceCoverage, now: datetime) -> SourceCoverage:
    """Return what is recorded of a source that the host does not have."""
    return source if source.is_absent else source.model_copy(update={"absent_at": now})
