"""How writes are packed: transactional batches, one logical partition each."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from core.outputs import Write

MAX_OPERATIONS = 100
"""Operations in a transactional batch (Azure Cosmos DB service quotas)."""

MAX_BYTES = 2 * 1024 * 1024 - 8 * 1024
"""Bytes of a batch's operations: the service's 2 MB for a request, less room for the frame."""

OPERATION_BYTES = 64
"""What a batch adds around each document besides its partition key, rounded up."""

LOOSE = 8
"""Streams with fewer writes than this go into requests that hold writes of many streams."""


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Writes into one stream that succeed or fail together, in order."""

    stream_id: str
    writes: tuple[Write, ...]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How writes are to be sent; streams in the order of their appearance.

    Attributes:
        batched: For each stream that has many, transactional batches to be sent one after the
            other. Each has at most 100 operations and stays under 2 MB.
        loose: The writes of each of the other streams, to be sent one after the other, but
            together with those of other streams.
    """

    batched: list[list[Batch]]
    loose: list[deque[Write]]


def plan(writes: Iterable[Write], *, bulk: bool) -> Plan:
    """Pack the writes; inside a stream their order is kept, streams are independent.

    A write that comes twice is planned once. Without `bulk` nothing is loose.
    """
    streams: dict[str, dict[str, Write]] = {}
    for write in writes:
        streams.setdefault(write.stream_id, {}).setdefault(write.id, write)
    least = LOOSE if bulk else 0
    return Plan(
        batched=[
            list(_batches(stream, each.values()))
            for stream, each in streams.items()
            if len(each) >= least
        ],
        loose=[deque(each.values()) for each in streams.values() if len(each) < least],
    )


def fitting(streams: Iterable[deque[Write]]) -> int:
    """Of how many streams the next writes fit into one request of the bulk form; at least one."""
    size = count = 0
    for stream in islice(streams, MAX_OPERATIONS):
        size += len(stream[0].body) + len(stream[0].stream_id) + OPERATION_BYTES
        if count and size > MAX_BYTES:
            break
        count += 1
    return count


def _batches(stream_id: str, writes: Iterable[Write]) -> Iterator[Batch]:
    chunk: list[Write] = []
    size = 0
    for write in writes:
        cost = len(write.body) + OPERATION_BYTES
        if chunk and (len(chunk) == MAX_OPERATIONS or size + cost > MAX_BYTES):
            yield Batch(stream_id=stream_id, writes=tuple(chunk))
            chunk, size = [], 0
        chunk.append(write)
        size += cost
    if chunk:
        yield Batch(stream_id=stream_id, writes=tuple(chunk))
