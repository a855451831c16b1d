"""Whether the application works, for a route that is public."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from typing import TYPE_CHECKING, Literal

from core.camel_model import CamelModel
from core.errors import CosmosError, DeadlineExceededError, SettingError
from core.operations.cached import Cached
from core.operations.status import StatusOperations
from core.services import HEALTH_TIMEOUT_SECONDS
from core.throttling.deadline import Deadline

if TYPE_CHECKING:
    from collections.abc import Callable

    from core.model.registry import Registry
    from core.services import Services

logger = logging.getLogger(__name__)

_SECONDS = 5.0
"""The seconds between two looks at Cosmos DB."""

_MAX_BLOCKING = 20
"""The number of blocking events up to which they are counted."""

_FINDINGS_SECONDS = 60.0
"""The seconds between two looks at all leases, which cost a request for each."""


class Health(CamelModel):
    """Whether the application works; it names neither streams nor projections."""

    status: Literal["ok", "degraded", "unusable"]
    """Unusable if settings or Cosmos DB are, degraded if there are reasons."""

    reasons: dict[str, int]
    """The number of times that each reason holds, by its code."""


class HealthMonitor:
    """Looks at Cosmos DB once for all callers, and not again for a while.

    Args:
        open_services: A function that returns the objects over Cosmos DB.
        registry: The declarations of the application.
        clock: The seconds of a monotonic clock.
    """

    def __init__(
        self,
        open_services: Callable[[], Services],
        registry: Registry,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._open_services = open_services
        self._registry = registry
        self._health = Cached(self._look, _SECONDS, clock)
        self._findings = Cached(self._find, _FINDINGS_SECONDS, clock)

    async def check(self) -> Health:
        """Return the health of at most a few seconds ago."""
        return await self._health.get()

    async def _look(self) -> Health:
        try:
            services = self._open_services()
            findings, blocked = await asyncio.gather(self._findings.get(), _count_blocked(services))
        except (SettingError, CosmosError, DeadlineExceededError) as error:
            logger.error(  # noqa: TRY400 - the error says what failed
                "health.failed error_type=%s error=%s", type(error).__name__, error
            )
            return Health(status="unusable", reasons={})
        reasons = {**findings, "blocked": blocked, **services.conditions}
        present = {code: count for code, count in reasons.items() if count}
        return Health(status="degraded" if present else "ok", reasons=present)

    async def _find(self) -> dict[str, int]:
        """Return the number of findings by code."""
        status = StatusOperations(services=self._open_services(), registry=self._registry)
        try:
            report = await status.report(HEALTH_TIMEOUT_SECONDS)
        except (CosmosError, DeadlineExceededError):
            return {"status-unknown": 1}
        return dict(Counter(finding.code for finding in report.findings))


async def _count_blocked(services: Services) -> int:
    """Return the number of blocking events, up to a maximum, if events can be read at all."""
    deadline = Deadline.after(HEALTH_TIMEOUT_SECONDS)
    await services.tracker.feed.rid(deadline)
    return len(await services.dead_letters.blocking(deadline, limit=_MAX_BLOCKING))
