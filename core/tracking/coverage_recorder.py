"""Records what the projections of this process are given, beside the trigger's leases."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING

from core.cosmos.clock import host_time
from core.errors import CosmosError, DeadlineExceededError, TransientError
from core.tracking.coverage import (
    CHECK_INTERVAL,
    COVERAGE_PREFIX,
    CoverageRecord,
    coverage_id,
    coverage_records,
    is_complete,
    updated_record,
)
from core.tracking.name_changes import name_changes

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from datetime import datetime

    from core.cosmos.container import Container, Document
    from core.model.registry import ProjectionModule
    from core.throttling.deadline import Deadline
    from core.tracking.hosts import HostReporter
    from core.tracking.tracker import ProgressTracker

logger = logging.getLogger(__name__)

_MAX_ATTEMPTS = 20
_CONFLICT_SECONDS = 0.1
"""The wait after another process has changed the record, or a replica does not have it yet."""

_TIMEOUT_SECONDS = 5.0
"""The seconds for a look at a record that is not the first one, which may fail."""


class CoverageRecorder:
    """Records, at the first batch of a process and then once a minute, what a module has.

    The first batch of a module waits for it: once a lease has a checkpoint, nobody could tell that
    its projections were given everything.

    Args:
        container: The lease container.
        tracker: What reads the leases.
        hosts: What reports on this process, which is done on the same occasion.
        clock: The seconds of a monotonic clock.
        now: The function that returns the time.
    """

    def __init__(
        self,
        container: Container,
        tracker: ProgressTracker,
        hosts: HostReporter,
        *,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = host_time,
    ) -> None:
        self._container = container
        self._tracker = tracker
        self._hosts = hosts
        self._clock = clock
        self._now = now
        self._due: dict[str, float] = {}
        self._lock = asyncio.Lock()

    async def record(
        self, module: ProjectionModule, modules: Collection[ProjectionModule], deadline: Deadline
    ) -> None:
        """Record that a host with a module takes events, if it is time to.

        Args:
            module: The module.
            modules: All modules of the application, whose names are compared with the records.
            deadline: The time by which the first record must be stored.

        Raises:
            DeadlineExceededError: If the deadline is reached before the first record is stored.
            CosmosError: If the first record cannot be stored.
        """
        if self._clock() < self._due.get(module.name, 0.0):
            return
        async with deadline.hold(self._lock):
            if self._clock() < self._due.get(module.name, 0.0):
                return
            if not self._due:
                await self._compare_names(modules, deadline)
            if module.name not in self._due:
                await self._update(module, deadline, is_first=True)
            else:
                await self._try_update(module, deadline.at_most(_TIMEOUT_SECONDS))
            await self._hosts.report(modules, deadline)
            self._due[module.name] = self._clock() + CHECK_INTERVAL.total_seconds()

    async def _try_update(self, module: ProjectionModule, deadline: Deadline) -> None:
        try:
            await self._update(module, deadline, is_first=False)
        except (CosmosError, DeadlineExceededError) as error:
            logger.warning(
                "coverage.unrecorded module=%s error_type=%s", module.name, type(error).__name__
            )

    async def _update(
        self, module: ProjectionModule, deadline: Deadline, *, is_first: bool
    ) -> None:
        action = f"recording what module {module.name} is given"
        record_id = coverage_id(module.name)
        for _ in range(_MAX_ATTEMPTS):
            document = await self._container.read(action, record_id, record_id, deadline)
            record = CoverageRecord.from_document(document) if document else None
            is_beginning = (
                is_first
                and not is_complete(record, module)
                and not await self._tracker.has_checkpoint(module.name, deadline)
            )
            updated = updated_record(record, module, self._now(), is_beginning=is_beginning)
            if updated == record or await self._store(action, updated, document, deadline):
                return
            await asyncio.sleep(_CONFLICT_SECONDS)
        raise TransientError(f"Others change the record all the time while {action}.")

    async def _store(
        self, action: str, record: CoverageRecord, stored: Document | None, deadline: Deadline
    ) -> bool:
        """Store a record, and return whether nobody has changed it since it was read."""
        document = record.to_document()
        if stored is None:
            return await self._container.create(action, document, deadline)
        return await self._container.replace(action, document, stored["_etag"], deadline)

    async def _compare_names(
        self, modules: Collection[ProjectionModule], deadline: Deadline
    ) -> None:
        """Log which projections are gone since the records were made, and which look renamed."""
        documents = await self._container.query(
            "reading what modules are given",
            "SELECT * FROM c WHERE STARTSWITH(c.id, @prefix)",
            {"@prefix": COVERAGE_PREFIX},
            deadline,
        )
        changes = name_changes(coverage_records(documents).values(), modules)
        for former, name in changes.renamed.items():
            logger.warning("projection.renamed projection=%s former=%s", name, former)
        for name in changes.gone:
            logger.warning("projection.gone projection=%s", name)
        for name in changes.added:
            logger.info("projection.added projection=%s", name)
