"""Fan-outs: all derived events of one source event and one projection, in chunks."""

from __future__ import annotations

import hashlib
from itertools import islice
from typing import TYPE_CHECKING

from core.errors import InvalidOutputError, PoisonError, ProjectionFailedError
from core.ids import derived_event_id
from core.model.documents import Cause, DerivedEventEncoder, Envelope, stream_of
from core.model.events import Event
from core.projecting.ordinals import Ordinals
from core.quotas import MAX_ITEM_BYTES
from core.writing.writes import Write

if TYPE_CHECKING:
    from collections.abc import Iterator

    from core.model.projections import Projection

CHUNK_SIZE = 10_000
"""The derived events of a chunk: it bounds memory, and larger chunks take fewer requests."""

MAX_CHUNK_BYTES = 16 * 1024 * 1024
"""The bytes of fields in a chunk, which bound memory if the events are large."""

_Emitted = tuple[Event, str, int, str]
"""A derived event with its stream, its ordinal and its fields as JSON."""


class FanOut:
    """The derived events of one source event and projection; any number of them in little memory.

    Ids, times and metadata follow from the source event alone, so that every run is the same.

    Args:
        projection: The projection.
        envelope: The document of the source event.
        event: The source event.
        feed_order: The place of the source event in its stream.

    Attributes:
        projection: The projection.
        cause: What every write follows from.
        hops: The projections between the source event and its command.
        derived_count: The number of derived events so far, including those that were skipped.
        is_done: Whether no more follow.
        has_failed: Whether some of them cannot be stored.
    """

    __slots__ = (
        *("projection", "cause", "hops", "derived_count", "is_done", "has_failed"),
        *("_source", "_events", "_encoder", "_ordinals", "_hash"),
    )

    def __init__(
        self, projection: Projection, envelope: Envelope, event: Event, feed_order: str
    ) -> None:
        self.projection = projection
        self.cause = Cause(projection.name, envelope.stream_id, envelope.id, feed_order)
        self.hops = envelope.meta.hops
        self.has_failed = False
        self._source: Event | None = event
        self._encoder = DerivedEventEncoder(envelope, projection.name)
        self.restart()

    def restart(self) -> None:
        """Start again from the first derived event, unless the fan-out is completed."""
        self.derived_count = 0
        self.is_done = self._source is None
        self._events: Iterator[Event] = iter(())
        if self._source is not None:
            self._events = _run(self.projection, self._source)
        self._ordinals = Ordinals()
        self._hash: hashlib.blake2b | None = None

    def stop(self) -> None:
        """Derive no more, and free what that takes, as the fan-out is kept for its progress."""
        self.is_done = True
        self._source = None
        self._events = iter(())
        self._ordinals = Ordinals()

    def fail(self) -> None:
        """Stop because some of the derived events cannot be stored."""
        self.has_failed = True
        self.stop()

    @property
    def fingerprint(self) -> str:
        """A hash of the types, streams and fields so far, empty for a single chunk."""
        return "" if self._hash is None else self._hash.hexdigest()

    def next_writes(self) -> list[Write]:
        """Return the next chunk: up to 10,000 derived events and 16 MB.

        So of a single chunk all are written or none. The first chunks of a large fan-out are
        written before it is known whether it succeeds.

        Raises:
            PoisonError: If the projection fails, or emits what it may not.
        """
        first = self.derived_count
        emitted = enumerate(self._take(CHUNK_SIZE), start=first)
        writes = [self._to_write(index, *event) for index, event in emitted]
        if self.is_done and self._hash is not None:
            self.stop()
        return writes

    def skip(self, count: int) -> None:
        """Pass over up to the given number of derived events, and 16 MB, without writing them."""
        try:
            self._take(count)
        except PoisonError:
            self.is_done = True

    def _take(self, count: int) -> list[_Emitted]:
        """Return the next derived events in the order in which the projection emits them."""
        emitted: list[_Emitted] = []
        size = 0
        for event in islice(self._events, count):
            emitted.append(self._check(event))
            size += len(emitted[-1][3])
            if size >= MAX_CHUNK_BYTES:
                break
        else:
            self.is_done = len(emitted) < count
        self.derived_count += len(emitted)
        if self._hash is None and not self.is_done:
            self._hash = hashlib.blake2b(digest_size=16)
        if self._hash is not None:
            parts = [f"{type(one).__name__}\0{to}\0{data}\0" for one, to, _, data in emitted]
            self._hash.update("".join(parts).encode())
        return emitted

    def _check(self, event: Event) -> _Emitted:
        if type(event) not in self.projection.derived_types:
            raise self._invalid(event, "which its annotation does not declare")
        try:
            stream_id = stream_of(event)
        except Exception as error:
            raise self._invalid(event, "without a usable entity_id") from error
        try:
            data = event.model_dump_json()
        except Exception as error:
            raise self._invalid(event, "with fields that cannot be stored") from error
        return event, stream_id, self._ordinals.next(type(event).__name__, stream_id), data

    def _to_write(self, index: int, event: Event, stream_id: str, ordinal: int, data: str) -> Write:
        event_id = derived_event_id(
            projection=self.projection.name,
            source_stream=self.cause.stream_id,
            source_id=self.cause.event_id,
            event_type=type(event).__name__,
            stream=stream_id,
            ordinal=ordinal,
        )
        try:
            body = self._encoder.encode(
                event, data, event_id=event_id, stream=stream_id, index=index
            )
        except Exception as error:
            raise self._invalid(event, "with fields that cannot be stored") from error
        if len(body) > MAX_ITEM_BYTES:
            raise self._invalid(
                event, f"of {len(body)} bytes; Cosmos DB stores up to {MAX_ITEM_BYTES}"
            )
        return Write(stream_id, event_id, body, self.cause)

    def _invalid(self, emitted: object, how: str) -> InvalidOutputError:
        kind = type(emitted).__name__
        return InvalidOutputError(f"Projection {self.projection.name} emitted {kind} {how}.")


def _run(projection: Projection, event: Event) -> Iterator[Event]:
    try:
        yield from projection.function(event)
    except Exception as error:
        raise ProjectionFailedError(
            f"Projection {projection.name} raised {type(error).__name__}."
        ) from error
