"""Keeping order behind a parked event: what comes later in its stream is parked as well."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from core.model.projections import Projection


def feed_order(raw: Mapping[str, Any]) -> str:
    """Where a document of the feed stands in its stream, as text that sorts.

    The transaction first; events of one transaction by their times, which grow.
    """
    lsn, time = raw.get("_lsn"), raw.get("time")
    return f"{lsn if isinstance(lsn, int) else 0:016d} {time if isinstance(time, str) else ''}"


class ParkedStreams:
    """The streams in which something is parked, by projection, and from where on.

    Args:
        parked: Projection (None for an event that could not be read, which holds up all of
            them), stream and order of each event that is parked.
    """

    def __init__(self, parked: Iterable[tuple[str | None, Any, str]] = ()) -> None:
        self._heads: dict[tuple[str | None, str], str] = {}
        for name, stream, order in parked:
            self.park(name, stream, order)

    def park(self, name: str | None, stream: object, order: str) -> None:
        """Hold up what comes later in this stream."""
        if isinstance(stream, str):
            head = self._heads.get((name, stream), order)
            self._heads[name, stream] = min(head, order)

    def must_park(self, projection: Projection, raw: Mapping[str, Any]) -> bool:
        """Whether an earlier event of the document's stream is parked for the projection."""
        if projection.on_failure != "park_sequence":
            return False
        stream, order = str(raw.get("streamId")), feed_order(raw)
        heads = (self._heads.get((name, stream)) for name in (projection.name, None))
        return any(head is not None and head < order for head in heads)
