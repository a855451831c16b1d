"""The order in which the events of a stream are folded; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from core.model.documents import Envelope


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
