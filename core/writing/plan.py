"""The plan for writes: streams in transactional batches, or many streams in bulk requests."""

from __future__ import annotations

from collections import defaultdict, deque
from itertools import islice
from typing import TYPE_CHECKING

from core.quotas import MAX_OPERATIONS, MAX_REQUEST_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from core.writing.writes import Write

    Stream = deque[Write]

OPERATION_BYTES = 64
"""What a request adds to each document besides its partition key, rounded up."""

MIN_TRANSACTIONAL_WRITES = 8
"""The number of writes from which on a stream uses transactional batches."""

_MIN_SHARE = 400
"""Streams with less than 1/400 of all writes use bulk requests, too: enough other streams remain to
fill each request while the next write of each stream is in flight."""


def plan_writes(writes: Iterable[Write], *, bulk: bool) -> tuple[list[Stream], list[Stream]]:
    """Return the streams for transactional batches and those for bulk requests.

    Each stream keeps the order of its writes, and duplicate writes are dropped. Without `bulk` all
    streams use transactional batches.
    """
    streams: defaultdict[str, Stream] = defaultdict(deque)
    seen: set[tuple[str, str]] = set()
    for write in writes:
        if (key := write[:2]) not in seen:
            seen.add(key)
            streams[write.stream_id].append(write)
    minimum = max(MIN_TRANSACTIONAL_WRITES, len(seen) // _MIN_SHARE) if bulk else 0
    return (
        [stream for stream in streams.values() if len(stream) >= minimum],
        [stream for stream in streams.values() if len(stream) < minimum],
    )


def count_fitting(writes: Iterable[Write], max_operations: int = MAX_OPERATIONS) -> int:
    """Return how many of the writes fit into one request in their order, at least one.

    Args:
        writes: One or more writes.
        max_operations: The number of operations that is not exceeded, nor is that of the service.
    """
    size = count = 0
    for write in islice(writes, min(max_operations, MAX_OPERATIONS)):
        size += len(write.body) + len(write.stream_id) + OPERATION_BYTES
        if count and size > MAX_REQUEST_BYTES:
            break
        count += 1
    return count
