"""The order of the events of a stream; pure."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from core.model.documents import Envelope

_MAX_PART_LENGTH = 160
"""The characters of a name or id that the text of a key holds; a hash stands for the others."""


class OrderKey(NamedTuple):
    """The place of an event in its stream: by its time, then by what it follows from.

    Derived events have the times of their sources. Their hops keep a cause before what follows from
    it, also through other streams and back. Their index, which is `place` here, keeps those of one
    source as its projection emitted them. So the order is the same on every host, whatever was
    stored first.
    """

    time: str
    hops: int
    projection: str
    source_stream: str
    source_id: str
    place: int
    id: str

    def to_text(self) -> str:
        """Return the key as text that sorts like it, of less than a kilobyte."""
        time, hops, projection, stream, source, place, own = self
        if max(len(projection), len(stream), len(source), len(own)) > _MAX_PART_LENGTH:
            projection, stream, source, own = map(_shorten, (projection, stream, source, own))
        return f"{time}\t{hops:06d}\t{projection}\t{stream}\t{source}\t{place:09d}\t{own}"


def order_key(envelope: Envelope) -> OrderKey:
    """Return the place of an event in its stream."""
    meta = envelope.meta
    return OrderKey(
        time=envelope.time,
        hops=meta.hops,
        projection=meta.projection or "",
        source_stream=meta.stream_id or "",
        source_id=meta.causation_id or "",
        place=meta.index,
        id=envelope.id,
    )


def _shorten(part: str) -> str:
    if len(part) <= _MAX_PART_LENGTH:
        return part
    return part[:_MAX_PART_LENGTH] + hashlib.sha256(part.encode()).hexdigest()[:16]
