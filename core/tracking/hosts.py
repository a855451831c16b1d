"""What each process reports of itself, so that every other one can tell."""

from __future__ import annotations

import logging
import time
from collections import Counter
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from pydantic import AwareDatetime, ValidationError

from core.camel_model import CamelModel
from core.cosmos.clock import host_time
from core.errors import CosmosError, DeadlineExceededError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from core.cosmos.container import Container
    from core.model.registry import ProjectionModule
    from core.throttling.deadline import Deadline

logger = logging.getLogger(__name__)

HOST_PREFIX = "host."
"""The prefix of the ids of the records: module names have no dot, so no lease begins with it."""

_INTERVAL_SECONDS = 60.0
_TIMEOUT_SECONDS = 5.0
_TTL_SECONDS = 24 * 3600
_RECENT = timedelta(minutes=5)
"""The age up to which a record says what is wrong now."""


class HostRecord(CamelModel):
    """What a process that takes events reported last."""

    host: str
    """The id of the process."""

    reported_at: AwareDatetime
    """The time of the report."""

    projections: dict[str, tuple[str, ...]]
    """The names of its projections, by module."""

    conditions: dict[str, int]
    """How often each condition of its last minutes holds, by its code."""

    def to_document(self) -> dict[str, Any]:
        """Return the document that stores it."""
        return {"id": f"{HOST_PREFIX}{self.host}", **self.to_dict(), "ttl": _TTL_SECONDS}


def recent_conditions(documents: Iterable[Mapping[str, Any]], now: datetime) -> dict[str, int]:
    """Return the conditions that processes reported lately, among documents of leases."""
    conditions: Counter[str] = Counter()
    for document in documents:
        if not str(document["id"]).startswith(HOST_PREFIX):
            continue
        try:
            record = HostRecord.model_validate(document)
        except ValidationError:
            continue
        if now - record.reported_at < _RECENT:
            conditions.update(record.conditions)
    return dict(conditions)


class HostReporter:
    """Stores what this process reports, at most once a minute; that it fails is ignored.

    Args:
        container: The lease container.
        conditions: A function that returns the conditions of the process by their codes.
        clock: The seconds of a monotonic clock.
        now: The function that returns the time.
    """

    def __init__(
        self,
        container: Container,
        conditions: Callable[[], Mapping[str, int]],
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = host_time,
    ) -> None:
        self._container = container
        self._conditions = conditions
        self._clock = clock
        self._now = now
        self._host = str(uuid4())
        self._due = 0.0

    async def report(self, modules: Iterable[ProjectionModule], deadline: Deadline) -> None:
        """Store a record, if it is time to.

        Args:
            modules: All modules of the application.
            deadline: The time by which it must be stored.
        """
        if self._clock() < self._due:
            return
        self._due = self._clock() + _INTERVAL_SECONDS
        record = HostRecord(
            host=self._host,
            reported_at=self._now(),
            projections={
                module.name: tuple(one.name for one in module.projections) for module in modules
            },
            conditions=dict(self._conditions()),
        )
        try:
            await self._container.upsert(
                "reporting what this process has",
                record.to_document(),
                deadline.at_most(_TIMEOUT_SECONDS),
            )
        except (CosmosError, DeadlineExceededError) as error:
            logger.warning("host.unreported error_type=%s", type(error).__name__)
