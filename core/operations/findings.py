"""Everything that is wrong with the progress of an application; pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.operations.coverage_findings import coverage_findings, name_findings
from core.operations.host_findings import host_findings
from core.operations.lease_findings import foreign_findings, lease_findings

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from core.model.registry import ProjectionModule
    from core.operations.finding import Finding
    from core.tracking.coverage import CoverageRecord
    from core.tracking.lease_sets import LeaseSet
    from core.tracking.status import ModuleStatus


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """What is known of the progress of an application at one time.

    Attributes:
        taken_at: That time.
        modules: The status of each of its modules.
        lease_sets: The leases by module, including modules that it does not have.
        declared: Its modules.
        records: What projections were given, by module.
        conditions: What processes reported of themselves, by its code.
    """

    taken_at: datetime
    modules: tuple[ModuleStatus, ...]
    lease_sets: Mapping[str, LeaseSet]
    declared: tuple[ProjectionModule, ...]
    records: Mapping[str, CoverageRecord]
    conditions: Mapping[str, int]


def findings(snapshot: Snapshot) -> list[Finding]:
    """Return what is wrong, each with what to do."""
    names = [status.module for status in snapshot.modules]
    own = [
        finding
        for status in snapshot.modules
        if status.module in snapshot.lease_sets
        for finding in lease_findings(status, snapshot.lease_sets[status.module], snapshot.taken_at)
    ]
    return [
        *own,
        *foreign_findings(snapshot.lease_sets.values(), names),
        *(finding for status in snapshot.modules for finding in coverage_findings(status)),
        *name_findings(snapshot.records, snapshot.declared, snapshot.taken_at),
        *host_findings(snapshot.conditions),
    ]
