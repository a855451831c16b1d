"""What projections were not given, and names that have changed; pure."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from core.operations.finding import warning
from core.operations.lease_findings import begin_again
from core.tracking.name_changes import name_changes

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import datetime

    from core.model.registry import ProjectionModule
    from core.operations.finding import Finding
    from core.tracking.coverage import CoverageRecord
    from core.tracking.status import ModuleStatus

_RENAME_NOTICE = timedelta(days=7)
"""The time for which a projection that looks renamed is a finding."""


def coverage_findings(status: ModuleStatus) -> Iterator[Finding]:
    """Yield a finding for each projection of a module that was not given everything."""
    for coverage in status.coverage:
        if coverage.since is None:
            continue
        since = f"{coverage.since:%Y-%m-%d %H:%M:%S} UTC"
        missing = f"so of what was stored before {since} it may lack events"
        pending = (
            " The time may still move, until no host without it has been seen for 10 minutes."
            if coverage.is_pending
            else ""
        )
        if coverage.has_gap:
            yield warning(
                "coverage-gap",
                f"Hosts without projection {coverage.projection} took events of module "
                f"{status.module}, {missing}.{pending}",
                begin_again(status.module),
            )
        else:
            yield warning(
                "not-covered",
                f"Projection {coverage.projection} is not known to have been there from the "
                f"beginning of module {status.module}, {missing}.{pending}",
                begin_again(status.module),
            )


def name_findings(
    records: Mapping[str, CoverageRecord], modules: Iterable[ProjectionModule], now: datetime
) -> Iterator[Finding]:
    """Yield a finding for each projection that looks renamed, for a while."""
    recorded = {
        name: one for record in records.values() for name, one in record.projections.items()
    }
    for former, name in name_changes(records.values(), modules).renamed.items():
        if name in recorded and now - recorded[name].recorded_at > _RENAME_NOTICE:
            continue
        yield warning(
            "projection-renamed",
            f"Projection {former} is gone, and {name} derives the same types from the same events. "
            "If it was renamed, everything is derived a second time under the new name.",
            f'Give it its former name: `@projection(name="{former}")`. If it is another '
            "projection, nothing need be done.",
        )
