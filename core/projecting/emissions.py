"""A projection at work on one event, and the documents that become of what it emits."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from core.errors import InvalidOutputError, ProjectionFailedError
from core.ids import derived_event_id
from core.model.documents import DerivedEventEncoder, Envelope, Origin
from core.projecting.ordinals import Ordinals
from core.quotas import MAX_ITEM_BYTES
from core.writing.writes import Source, Write

if TYPE_CHECKING:
    from collections.abc import Iterator

    from core.model.events import Event
    from core.model.projections import Projection

MOST_BYTES = 16 * 1024 * 1024
"""Bytes of fields that are taken at once, of large events: it bounds memory."""


class Emitted(NamedTuple):
    """A derived event that may be stored; `data` is the JSON of its fields."""

    event: Event
    stream: str
    ordinal: int
    data: str


class Emission:
    """What one run of a projection on one event emits, in its order.

    Args:
        projection: What derives.
        envelope: The source event's document.
        event: The source event.

    Attributes:
        done: Nothing more will come.
    """

    __slots__ = ("_encoder", "_envelope", "_events", "_ordinals", "_projection", "done")

    def __init__(self, projection: Projection, envelope: Envelope, event: Event) -> None:
        self._projection = projection
        self._envelope = envelope
        self._events = _run(projection, event)
        self._ordinals = Ordinals()
        self.done = False
        meta, cause = envelope.meta, envelope.id
        origin = Origin(
            *(meta.correlation_id or cause, cause, projection.name, meta.hops + 1, meta.traceparent)
        )
        self._encoder = DerivedEventEncoder(envelope.time, origin)

    def take(self, count: int) -> list[Emitted]:
        """The next events, up to `count`, or until they have 16 MB together.

        Raises:
            PoisonError: The projection fails, or emits what it may not.
        """
        found: list[Emitted] = []
        size = 0
        for event in islice(self._events, count):
            found.append(self._check(event))
            size += len(found[-1].data)
            if size >= MOST_BYTES:
                break
        else:
            self.done = len(found) < count
        return found

    def write(self, emitted: Emitted, source: Source) -> Write:
        """The document of an event.

        Raises:
            InvalidOutputError: It cannot be stored.
        """
        event, stream, ordinal, data = emitted
        event_id = derived_event_id(
            projection=self._projection.name,
            source_stream=self._envelope.stream_id,
            source_id=self._envelope.id,
            event_type=type(event).__name__,
            stream=stream,
            ordinal=ordinal,
        )
        try:
            body = self._encoder.encode(event, data, event_id=event_id, stream=stream)
        except Exception as error:
            raise self._invalid(event, "with fields that cannot be stored") from error
        if len(body) > MAX_ITEM_BYTES:
            raise self._invalid(
                event, f"of {len(body)} bytes; Cosmos DB stores up to {MAX_ITEM_BYTES}"
            )
        return Write(stream_id=stream, id=event_id, body=body, source=source)

    def _check(self, emitted: Event) -> Emitted:
        if type(emitted) not in self._projection.derived_types:
            raise self._invalid(emitted, "which its annotation does not declare")
        try:
            stream = emitted.stream_id
        except Exception as error:
            raise self._invalid(emitted, "without a usable entity_id") from error
        try:
            data = emitted.model_dump_json()
        except Exception as error:
            raise self._invalid(emitted, "with fields that cannot be stored") from error
        ordinal = self._ordinals.next(type(emitted).__name__, stream)
        return Emitted(emitted, stream, ordinal, data)

    def _invalid(self, emitted: object, how: str) -> InvalidOutputError:
        kind = type(emitted).__name__
        return InvalidOutputError(f"Projection {self._projection.name} emitted {kind} {how}.")


def _run(projection: Projection, event: Event) -> Iterator[Event]:
    try:
        yield from projection.function(event)
    except Exception as error:
        raise ProjectionFailedError(
            f"Projection {projection.name} raised {type(error).__name__}."
        ) from error
