"""What one projection derives from one event, drawn piece by piece."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from core.errors import PoisonError
from core.projecting.emissions import Emission, Emitted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from core.dead_letters.poison import PoisonEvent
    from core.model.documents import Envelope
    from core.model.events import Event
    from core.model.projections import Projection
    from core.writing.writes import Write

CHUNK_SIZE = 10_000
"""Derived events that are drawn at once: it bounds memory, and more of them save requests."""


class FanOut:
    """The derived events of one event and projection; any number of them in little memory.

    Ids, times and metadata follow from the source alone, so that every run gives the same.

    Args:
        projection: What derives.
        envelope: The source event's document.
        event: The source event.
        poison: What becomes of the source event if it cannot be projected.

    Attributes:
        stream_id: Of the source event.
        event_id: Of the source event.
        drawn: Derived events so far, skipped ones included.
        done: Nothing more will come.
        failed: Not all of it can be stored.
    """

    __slots__ = (
        *("projection", "stream_id", "event_id", "drawn", "done", "failed"),
        *("_emission", "_poison", "_source", "_trace"),
    )

    def __init__(
        self,
        projection: Projection,
        envelope: Envelope,
        event: Event,
        poison: Callable[[PoisonError], PoisonEvent],
    ) -> None:
        self.projection = projection
        self.stream_id = envelope.stream_id
        self.event_id = envelope.id
        self._source: tuple[Envelope, Event] | None = (envelope, event)
        self._poison = poison
        self.restart()

    def restart(self) -> None:
        """Begin again, as if nothing had been drawn; only while there is more to come."""
        self.drawn = 0
        self.done = False
        self.failed = False
        self._emission = Emission(self.projection, *self._source) if self._source else None
        self._trace: hashlib.blake2b | None = None

    def fail(self, error: PoisonError) -> PoisonEvent:
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
        """Of all that was drawn, where that is not all: types, streams, fields, in order."""
        return "" if self._trace is None else self._trace.hexdigest()

    def draw(self) -> list[Write | PoisonEvent]:
        """The next derived events, up to 10,000 and 16 MB.

        Where the projection fails, or emits what it may not, all that comes is a `PoisonEvent`. So
        of up to so many come all or none; of a larger fan-out the first ones come before it is
        known whether it will end well.
        """
        emission = self._emission
        if emission is None:
            return []
        try:
            taken = emission.take(CHUNK_SIZE)
            found: list[Write | PoisonEvent] = [emission.write(each, self) for each in taken]
        except PoisonError as error:
            return [self.fail(error)]
        self._note(taken, emission)
        if self.done:  # many that are done wait for their batch to be written
            self._emission = self._source = None
        return found

    def skip(self, count: int) -> None:
        """Pass over the next derived events, without the cost of making their documents.

        They are up to `count`, and 16 MB.
        """
        if self._emission is None:
            return
        try:
            taken = self._emission.take(count)
        except PoisonError:
            self.done = True
        else:
            self._note(taken, self._emission)

    def _note(self, taken: list[Emitted], emission: Emission) -> None:
        self.drawn += len(taken)
        self.done = emission.done
        if self._trace is None and not self.done:
            self._trace = hashlib.blake2b(digest_size=16)
        if self._trace is not None:
            self._trace.update(_text(taken))


def _text(taken: Iterable[Emitted]) -> bytes:
    parts = [f"{type(each.event).__name__}\0{each.stream}\0{each.data}\0" for each in taken]
    return "".join(parts).encode()
