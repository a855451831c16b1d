"""What one projection derives from one event, drawn piece by piece."""

from __future__ import annotations

import hashlib
from itertools import islice
from typing import TYPE_CHECKING

from pydantic_core import PydanticSerializationError

from core.errors import InvalidOutputError, PoisonError, ProjectionFailedError
from core.events import Encoder, Envelope, Event, Origin
from core.ids import derived_event_id
from core.ordinals import Ordinals
from core.outputs import Poison, Write

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from core.projections import Projection

MAX_DOCUMENT_BYTES = 2 * 1024 * 1024 - 16 * 1024
"""Cosmos DB's limit of 2 MB for an item, less room for the properties that the service adds."""

CHUNK = 10_000
"""Derived events that are drawn at once: it bounds memory, and more of them save requests."""

_UNSTORABLE = (PydanticSerializationError, TypeError, ValueError, RecursionError)


class FanOut:
    """The derived events of one event and projection; any number of them in little memory.

    Ids, times and metadata follow from the source alone, so that every run gives the same.

    Args:
        projection: What derives.
        envelope: The source event's document.
        event: The source event.
        poison: What becomes of the source event if it cannot be projected.

    Attributes:
        drawn: Derived events so far, skipped ones included.
        done: Nothing more will come.
        failed: Not all of it can be stored.
    """

    def __init__(
        self,
        projection: Projection,
        envelope: Envelope,
        event: Event,
        poison: Callable[[PoisonError], Poison],
    ) -> None:
        self.projection = projection
        self.envelope = envelope
        self._event = event
        self._poison = poison
        origin = Origin(
            correlation_id=envelope.meta.correlation_id or envelope.id,
            causation_id=envelope.id,
            projection=projection.name,
            hops=envelope.meta.hops + 1,
        )
        self._encoder = Encoder(envelope.time, origin)
        self.restart()

    def restart(self) -> None:
        """Begin again, as if nothing had been drawn."""
        self.drawn = 0
        self.done = False
        self.failed = False
        self._ordinals = Ordinals()
        self._trace = hashlib.blake2b(digest_size=16)
        self._events = _run(self.projection, self._event)

    def fail(self, error: PoisonError) -> Poison:
        """What becomes of the source event; nothing more will be drawn."""
        self.done = True
        self.failed = True
        return self._poison(error)

    @property
    def name(self) -> str:
        """Of the projection."""
        return self.projection.name

    @property
    def fingerprint(self) -> str:
        """Of all that was drawn so far: types, streams and fields, in their order."""
        return self._trace.hexdigest()

    def draw(self) -> list[Write | Poison]:
        """The next derived events, up to 10,000; fewer are the last.

        Where the projection fails, or emits what it may not, a `Poison` is all that is drawn. So
        of up to 10,000 come all or none; of a larger fan-out the first ones come before it is
        known whether it will end well.
        """
        try:
            found: list[Write | Poison] = [
                self._write(each) for each in islice(self._events, CHUNK)
            ]
        except PoisonError as error:
            return [self.fail(error)]
        self.drawn += len(found)
        self.done = len(found) < CHUNK
        return found

    def skip(self, count: int) -> None:
        """Pass over the next derived events, without the cost of making their documents."""
        try:
            skipped = len([self._note(each) for each in islice(self._events, count)])
        except PoisonError:
            self.done = True
            return
        self.drawn += skipped
        self.done = skipped < count

    def _note(self, derived: Event) -> tuple[str, str, int, str]:
        """Type, stream, ordinal and fields of a derived event, which enters the fingerprint."""
        event_type, stream = _place(self.projection, derived)
        try:
            data = derived.model_dump_json()
        except _UNSTORABLE as error:
            raise self._unstorable(event_type) from error
        self._trace.update(f"{event_type}\0{stream}\0{data}\0".encode())
        return event_type, stream, self._ordinals.next(event_type, stream), data

    def _write(self, derived: Event) -> Write:
        event_type, stream, ordinal, data = self._note(derived)
        event_id = derived_event_id(
            projection=self.projection.name,
            source_stream=self.envelope.stream_id,
            source_id=self.envelope.id,
            event_type=event_type,
            stream=stream,
            ordinal=ordinal,
        )
        try:
            body = self._encoder.encode(derived, data, event_id=event_id, stream=stream)
        except _UNSTORABLE as error:
            raise self._unstorable(event_type) from error
        if len(body) > MAX_DOCUMENT_BYTES:
            raise InvalidOutputError(
                f"Projection {self.projection.name} emitted {event_type} of {len(body)} bytes; "
                f"Cosmos DB stores up to {MAX_DOCUMENT_BYTES}."
            )
        return Write(stream_id=stream, id=event_id, body=body, source=self)

    def _unstorable(self, event_type: str) -> InvalidOutputError:
        return InvalidOutputError(
            f"Projection {self.projection.name} emitted {event_type} with fields that cannot be "
            "stored."
        )


def _run(projection: Projection, event: Event) -> Iterator[Event]:
    try:
        yield from projection(event)
    except Exception as error:
        raise ProjectionFailedError(
            f"Projection {projection.name} raised {type(error).__name__}."
        ) from error


def _place(projection: Projection, derived: object) -> tuple[str, str]:
    """Type and stream of a derived event, if it is one that the projection may emit."""
    if not isinstance(derived, Event) or type(derived) not in projection.emits:
        raise InvalidOutputError(
            f"Projection {projection.name} emitted {type(derived).__name__}, "
            "which its annotation does not declare."
        )
    try:
        return type(derived).__name__, derived.stream_id
    except Exception as error:
        raise InvalidOutputError(
            f"Projection {projection.name} emitted {type(derived).__name__} "
            "without a usable entity_id."
        ) from error
