"""The streams with a parked event, whose later events are parked as well."""

from __future__ import annotations

from collections import defaultdict
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from core.errors import InvalidEventError
from core.model.documents import Envelope
from core.model.order import order_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from core.model.documents import Cause
    from core.model.projections import Projection


ParkedEvent = tuple[str | None, Any, str]
"""The projection, the stream and the order of a parked event.

An event without a projection could not be read, so all projections of the module wait for it.
"""


class ParkedStreams:
    """The first parked event of each stream by projection, and the events that are in progress.

    Whether an event is parked is known once its derived events are durable or its dead letter is
    stored, so the next event of its stream waits for that.

    Args:
        parked: Events that are parked.
    """

    def __init__(self, parked: Iterable[ParkedEvent] = ()) -> None:
        self._first: dict[tuple[str | None, str], str] = {}
        self._in_progress: set[tuple[str | None, Any]] = set()
        self.add(parked)

    def add(self, parked: Iterable[ParkedEvent]) -> None:
        """Add parked events."""
        for projection, stream_id, stream_order in parked:
            if isinstance(stream_id, str):
                first = self._first.get((projection, stream_id), stream_order)
                self._first[projection, stream_id] = min(first, stream_order)

    def start(self, cause: Cause) -> None:
        """Let the later events in the stream of an event wait."""
        self._in_progress.add((cause.projection, _key(cause.stream_id)))

    def finish(self) -> None:
        """Let no event wait any more, as all before are durable or parked."""
        self._in_progress.clear()

    def must_wait(self, projection: Projection, cause: Cause) -> bool:
        """Return whether an earlier event of the same stream is in progress for the projection."""
        return projection.on_failure == "park_stream" and any(
            (name, _key(cause.stream_id)) in self._in_progress for name in (projection.name, None)
        )

    def must_park(self, projection: Projection, cause: Cause) -> bool:
        """Return whether an earlier event of the same stream is parked for the projection."""
        if projection.on_failure != "park_stream":
            return False
        firsts = (self._first.get((name, cause.stream_id)) for name in (projection.name, None))
        return any(first is not None and first < cause.stream_order for first in firsts)


def in_stream_order(documents: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return the documents of a batch so that those of each stream are in their order.

    The change feed has them in the order of their latest writes, and one that was written again
    comes late. The first ones of all streams precede the second ones, so that as many as possible
    are in progress together.
    """
    streams: defaultdict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for document in documents:
        streams[_key(document.get("streamId"))].append(document)
    ordered = (sorted(stream, key=_stream_order) for stream in streams.values())
    return [one for turn in zip_longest(*ordered) for one in turn if one is not None]


def _key(stream_id: object) -> str:
    """Return a stream id as text, which any JSON value is in a document that is not an event."""
    return stream_id if isinstance(stream_id, str) else repr(stream_id)


def _stream_order(document: Mapping[str, Any]) -> str:
    try:
        return order_key(Envelope.from_document(document)).to_text()
    except InvalidEventError:
        return ""
