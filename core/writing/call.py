"""What the requests of one call of the writer share."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from azure.cosmos.aio import ContainerProxy

    from core.cosmos.partitions import PartitionMap
    from core.throttling.deadline import Deadline
    from core.throttling.rate_limiters import RateLimiters
    from core.throttling.retrier import Retrier
    from core.throttling.stats import RequestStats
    from core.writing.results import ResultQueue


@dataclass(frozen=True, kw_only=True)
class WriteCall:
    """The means, the limits and the results of one call of the writer.

    Attributes:
        container: The events container.
        partitions: The physical partitions of streams.
        limiters: The rate limiters of the process.
        retrier: The retries.
        slots: The limit on requests in flight.
        deadline: The time by which the writing must end.
        stats: The meter of its requests.
        results: The queue of its results; None at the end.
    """

    container: ContainerProxy
    partitions: PartitionMap
    limiters: RateLimiters
    retrier: Retrier
    slots: asyncio.Semaphore
    deadline: Deadline
    stats: RequestStats
    results: ResultQueue = field(default_factory=asyncio.Queue)
