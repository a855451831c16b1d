"""The progress of modules and of single events."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.camel_model import CamelModel
from core.errors import UnknownResourceError
from core.model.entity_streams import entity_stream
from core.model.names import is_document_id
from core.operations.finding import Finding
from core.operations.findings import Snapshot, findings
from core.services import HTTP_TIMEOUT_SECONDS
from core.throttling.deadline import Deadline
from core.tracking.change_feed import SeenEvent
from core.tracking.coverage import coverage_of, coverage_records
from core.tracking.hosts import recent_conditions
from core.tracking.status import ModuleStatus

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from core.model.registry import Registry
    from core.services import Services
    from core.tracking.coverage import CoverageRecord
    from core.tracking.fan_out_progress import FanOutProgress
    from core.tracking.lease_sets import LeaseSet
    from core.tracking.status import EventStatus


class StatusReport(CamelModel):
    """The progress of an application, and what is wrong with it."""

    projections: tuple[ModuleStatus, ...]
    """The projection modules by name."""

    findings: tuple[Finding, ...]
    """What is wrong, with what to do."""


@dataclass(frozen=True, kw_only=True)
class StatusOperations:
    """Returns what has been processed.

    Every method raises DeadlineExceededError if Cosmos DB does not respond in time, and CosmosError
    if it returns an error that is not retryable.

    Attributes:
        services: The objects over Cosmos DB.
        registry: The declarations of the application.
    """

    services: Services
    registry: Registry

    async def report(self, timeout_seconds: float = HTTP_TIMEOUT_SECONDS) -> StatusReport:
        """Return the status of each projection module, and what is wrong."""
        deadline = Deadline.after(timeout_seconds)
        progress = await self.services.fan_out_progress.all(deadline)
        observation = await self.services.tracker.observe(sorted(self.registry.modules), deadline)
        now = self.services.client.clock.now()
        records = coverage_records(observation.documents)
        modules = tuple(
            self._complete(
                status, _ahead_of(observation.lease_sets.get(status.module), progress), records, now
            )
            for status in observation.modules
        )
        snapshot = Snapshot(
            taken_at=now,
            modules=modules,
            lease_sets=observation.lease_sets,
            declared=tuple(self.registry.modules.values()),
            records=records,
            conditions=recent_conditions(observation.documents, now),
        )
        return StatusReport(projections=modules, findings=tuple(findings(snapshot)))

    async def event_status(self, module: str, stream_id: str, event_id: str) -> EventStatus:
        """Return whether a module has processed an event, and why it is parked if it is.

        Raises:
            UnknownResourceError: If there is no such module or event.
        """
        self.registry.module(module)
        stream_id = self._canonical_stream(stream_id)
        deadline = Deadline.after(HTTP_TIMEOUT_SECONDS)
        lsn = None
        if is_document_id(event_id):
            lsn = await self.services.reader.lsn_with(stream_id, event_id, deadline)
        if lsn is None:
            raise UnknownResourceError(f"There is no event {event_id!r} in stream {stream_id!r}.")
        event = SeenEvent(stream_id, event_id, lsn)
        status = await self.services.tracker.event_status(module, event, deadline)
        dead_letters = await self.services.dead_letters.for_event(
            module, stream_id, event_id, deadline
        )
        reasons = tuple(dead_letter.reason for dead_letter in dead_letters)
        return status.model_copy(update={"dead_letter_reasons": reasons})

    def _complete(
        self,
        status: ModuleStatus,
        progress: Sequence[FanOutProgress],
        records: Mapping[str, CoverageRecord],
        now: datetime,
    ) -> ModuleStatus:
        """Return the status of a module with its fan-outs and with what it was given.

        Before its first checkpoint a module has been given nothing, and everything is to come.
        """
        module = self.registry.modules[status.module]
        has_started = any(lease.checkpoint is not None for lease in status.leases)
        return status.model_copy(
            update={
                "coverage": coverage_of(records.get(module.name), module, now)
                if has_started
                else (),
                "fan_outs": tuple(one for one in progress if module.has_projection(one.projection)),
            }
        )

    def _canonical_stream(self, stream_id: str) -> str:
        """Return a stream in the spelling of its events, if it can be the stream of an entity."""
        entity, _, entity_id = stream_id.partition("-")
        try:
            return entity_stream(entity, entity_id, self.registry.events.values())
        except ValueError:
            return stream_id


def _ahead_of(
    lease_set: LeaseSet | None, progress: Sequence[FanOutProgress]
) -> list[FanOutProgress]:
    """Return the progress of the fan-outs whose events the leases have not passed."""
    return [one for one in progress if lease_set and one.is_ahead_of(lease_set)]
