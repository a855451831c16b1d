"""How writes are packed: those of one stream together, or the next ones of many streams."""

from __future__ import annotations

from collections import defaultdict, deque
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from core.quotas import MAX_OPERATIONS, MAX_REQUEST_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from core.writing.writes import Write

OPERATION_BYTES = 64
"""What a batch adds around each document besides its partition key, rounded up."""

MIN_TRANSACTIONAL_WRITES = 8
"""Streams with fewer writes than this go into requests that hold writes of many streams."""

_ROUNDS = 400
"""So do those with less than one in so many of all writes: while the next write of each stream is
sent, there are others for as many requests as it takes."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The writes of each stream in their order; streams in the order of their appearance.

    Attributes:
        batched: Of streams that have many: transactional batches, one after the other.
        loose: Of the others: one after the other, but together with those of other streams.
    """

    batched: list[deque[Write]]
    loose: list[deque[Write]]


def plan(writes: Iterable[Write], *, bulk: bool) -> Plan:
    """Pack the writes; inside a stream their order is kept, streams are independent.

    A write that comes twice is planned once. Without `bulk` nothing is loose.
    """
    streams: defaultdict[str, deque[Write]] = defaultdict(deque)
    seen: set[tuple[str, str]] = set()
    for write in writes:
        if (key := write[:2]) not in seen:
            seen.add(key)
            streams[write.stream_id].append(write)
    least = max(MIN_TRANSACTIONAL_WRITES, len(seen) // _ROUNDS) if bulk else 0
    return Plan(
        batched=[each for each in streams.values() if len(each) >= least],
        loose=[each for each in streams.values() if len(each) < least],
    )


def count_fitting(writes: Iterable[Write], most: int = MAX_OPERATIONS) -> int:
    """How many of the writes fit into one request, in their order; at least one.

    Args:
        writes: One or more.
        most: AdminOperations; a request takes up to 100 and stays under 2 MB.
    """
    size = count = 0
    for write in islice(writes, min(most, MAX_OPERATIONS)):
        size += len(write.body) + len(write.stream_id) + OPERATION_BYTES
        if count and size > MAX_REQUEST_BYTES:
            break
        count += 1
    return count
