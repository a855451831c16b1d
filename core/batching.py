"""How writes are packed: transactional batches, one logical partition each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from core.outputs import Write

MAX_OPERATIONS = 100
"""Operations in a transactional batch (Azure Cosmos DB service quotas)."""

MAX_BYTES = 2 * 1024 * 1024 - 8 * 1024
"""Bytes of a batch's operations: the service's 2 MB for a request, less room for the frame."""

OPERATION_BYTES = 64
"""What a batch adds around each document, rounded up."""


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Writes into one stream that succeed or fail together, in order."""

    stream_id: str
    writes: tuple[Write, ...]


def plan(writes: Iterable[Write]) -> list[list[Batch]]:
    """Pack the writes: one list of batches for each stream, streams in order of appearance.

    The batches of one list must be written one after the other; different lists are independent.
    Inside a stream the order of the writes is kept. A write that comes twice is planned once.
    Every batch has at most 100 operations and stays under 2 MB, and no write is larger than that.
    """
    streams: dict[str, dict[str, Write]] = {}
    for write in writes:
        streams.setdefault(write.stream_id, {}).setdefault(write.id, write)
    return [list(_batches(stream, each.values())) for stream, each in streams.items()]


def _batches(stream_id: str, writes: Iterable[Write]) -> Iterator[Batch]:
    chunk: list[Write] = []
    size = 0
    for write in writes:
        cost = write.size + OPERATION_BYTES
        if chunk and (len(chunk) == MAX_OPERATIONS or size + cost > MAX_BYTES):
            yield Batch(stream_id=stream_id, writes=tuple(chunk))
            chunk, size = [], 0
        chunk.append(write)
        size += cost
    if chunk:
        yield Batch(stream_id=stream_id, writes=tuple(chunk))
