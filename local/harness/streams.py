"""Checks of all stored events by stream: positions, times and origins; without I/O.

The checks do not use the engine, so that a mistake in the engine is not made here as well.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator, Mapping

Document = dict[str, Any]
EventKey = tuple[str, str]
"""The stream id and the id of an event."""

_CANONICAL_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{5}0Z")


@dataclass(kw_only=True)
class StoredStreams:
    """The stored events.

    Attributes:
        own: The events of commands by stream, by position.
        foreign: The events that somebody else stored, by stream.
        derived: The derived events by stream, in the order in which they are folded.
    """

    own: dict[str, list[Document]] = field(default_factory=dict)
    foreign: dict[str, list[Document]] = field(default_factory=dict)
    derived: dict[str, list[Document]] = field(default_factory=dict)

    @classmethod
    def from_documents(
        cls, documents: Iterable[Document], foreign: Container[EventKey] = ()
    ) -> StoredStreams:
        """Return the events among all documents of the container.

        Args:
            documents: The documents.
            foreign: The keys of the events that were stored without a command.
        """
        streams: dict[str, defaultdict[str, list[Document]]] = {
            kind: defaultdict(list) for kind in ("own", "foreign", "derived")
        }
        for document in documents:
            if not document["type"].startswith("$"):
                kind = "derived" if "projection" in document["meta"] else "own"
                kind = "foreign" if event_key(document) in foreign else kind
                streams[kind][document["streamId"]].append(document)
        for events in streams["own"].values():
            events.sort(key=lambda event: (event.get("position") or 0, fold_order(event)))
        for events in streams["derived"].values():
            events.sort(key=fold_order)
        return cls(**streams)

    def sources(self) -> Iterator[Document]:
        """Yield the events that may have derived events: with one hop, all that are not derived."""
        for streams in (self.own, self.foreign):
            for events in streams.values():
                yield from events

    def wrong_positions(self) -> list[str]:
        """Return where the positions of a stream are not 1, 2, 3 ..., or differ from the id."""
        return [
            f"{stream_id}: {event['id']} has position {event.get('position')}, expected {expected}"
            for stream_id, events in self.own.items()
            for expected, event in enumerate(events, start=1)
            if event.get("position") != expected or event["id"] != f"n{expected:012d}"
        ]

    def wrong_times(self) -> list[str]:
        """Return where a time is not canonical or does not grow with the position."""
        malformed = [
            f"{stream_id}: {event['id']} has the time {event['time']}"
            for streams in (self.own, self.derived)
            for stream_id, events in streams.items()
            for event in events
            if not _CANONICAL_TIME.fullmatch(event["time"])
        ]
        not_growing = [
            f"{stream_id}: {later['id']} has the time {later['time']} after {event['time']}"
            for stream_id, events in self.own.items()
            for event, later in pairwise(events)
            if later["time"] <= event["time"]
        ]
        return malformed + not_growing

    def wrong_origins(self) -> list[str]:
        """Return where a derived event does not have the time and the origin that its source gives.

        Its time is that of its source, its hops are one more, and its correlation id is the same.
        """
        sources = {event_key(source): source for source in self.sources()}
        wrong = []
        for stream_id, events in self.derived.items():
            for event in events:
                source = sources.get(source_key(event))
                if source is None:
                    wrong.append(f"{stream_id}: {event['id']} has no source")
                elif _origin(event) != _expected_origin(source):
                    wrong.append(f"{stream_id}: {event['id']} does not follow from its source")
        return wrong

    def derivations(self, derived_types: Mapping[str, str]) -> tuple[list[str], list[str]]:
        """Return the derived events that are missing, and those that are there more than once.

        Args:
            derived_types: By type of source, the type of the one event that is derived from it.
        """
        expected = Counter(
            (*event_key(source), derived_types[source["type"]]) for source in self.sources()
        )
        stored = Counter(
            (*source_key(event), event["type"])
            for events in self.derived.values()
            for event in events
        )
        return _named(expected - stored), _named(stored - expected)


def event_key(document: Document) -> EventKey:
    """Return the key of an event."""
    return document["streamId"], document["id"]


def source_key(document: Document) -> EventKey:
    """Return the key of the source of a derived event."""
    meta = document["meta"]
    return meta["streamId"], meta["causationId"]


def fold_order(document: Document) -> tuple[Any, ...]:
    """Return what events of a stream are sorted by before they are folded."""
    meta = document["meta"]
    names = (
        meta.get("projection") or "",
        meta.get("streamId") or "",
        meta.get("causationId") or "",
    )
    return document["time"], meta.get("hops", 0), *names, meta.get("index", 0), document["id"]


def _origin(event: Document) -> tuple[Any, ...]:
    return event["time"], event["meta"]["hops"], event["meta"]["correlationId"]


def _expected_origin(source: Document) -> tuple[Any, ...]:
    return source["time"], source["meta"]["hops"] + 1, source["meta"]["correlationId"]


def _named(keys: Mapping[tuple[str, str, str], int]) -> list[str]:
    """Return one line for each missing or superfluous event."""
    return [
        f"{event_type} of {event_id} in {stream_id}"
        for (stream_id, event_id, event_type), count in keys.items()
        for _ in range(count)
    ]
