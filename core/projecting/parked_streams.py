"""The streams with a parked event, whose later events are parked as well."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from core.model.documents import Cause
    from core.model.projections import Projection


class ParkedStreams:
    """The first parked event of each stream, by projection.

    Args:
        parked: The projection, the stream and the feed order of each parked event. An event without
            a projection could not be read, so all projections of the module wait for it.
    """

    def __init__(self, parked: Iterable[tuple[str | None, Any, str]] = ()) -> None:
        self._first: dict[tuple[str | None, str], str] = {}
        for projection, stream_id, feed_order in parked:
            self._add(projection, stream_id, feed_order)

    def park(self, cause: Cause) -> None:
        """Park what comes later in the stream of an event."""
        self._add(cause.projection, cause.stream_id, cause.feed_order)

    def must_park(self, projection: Projection, cause: Cause) -> bool:
        """Return whether an earlier event of the same stream is parked for the projection."""
        if projection.on_failure != "park_stream":
            return False
        firsts = (self._first.get((name, cause.stream_id)) for name in (projection.name, None))
        return any(first is not None and first < cause.feed_order for first in firsts)

    def _add(self, projection: str | None, stream_id: object, feed_order: str) -> None:
        if isinstance(stream_id, str):
            first = self._first.get((projection, stream_id), feed_order)
            self._first[projection, stream_id] = min(first, feed_order)
