"""Fan-outs: all derived events of one source event and one projection, in chunks."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from core.errors import InvalidOutputError, PoisonError, ProjectionFailedError
from core.ids import derived_event_id
from core.model.documents import Cause, DerivedEventEncoder, Envelope, stream_of
from core.projecting.ordinals import Ordinals
from core.quotas import MAX_ITEM_BYTES
from core.writing.writes import Write

if TYPE_CHECKING:
    from collections.abc import Iterator

    from core.model.events import Event
    from core.model.projections import Projection
    from core.projecting.turn import Turn

CHUNK_SIZE = 10_000
"""The derived events of a chunk: it bounds memory, and larger chunks take fewer requests."""

MAX_CHUNK_BYTES = 16 * 1024 * 1024
"""The bytes of documents in a chunk, which bound memory if the events are large."""


class FanOut:
    """The derived events of one source event and projection; any number of them in little memory.

    Ids, times and metadata follow from the source event alone, so that every run is the same.

    Args:
        projection: The projection.
        envelope: The document of the source event.
        event: The source event.
        stream_order: The place of the source event in its stream, as text that sorts.

    Attributes:
        projection: The projection.
        source: The document of the source event.
        cause: What every write follows from.
        derived_count: The number of derived events in complete chunks, or that were skipped.
        is_done: Whether no more follow.
        has_failed: Whether some of them cannot be stored.
    """

    __slots__ = (
        *("projection", "source", "cause", "derived_count", "is_done", "has_failed"),
        *("_event", "_events", "_encoder", "_ordinals", "_hash", "_chunk", "_chunk_bytes"),
    )

    def __init__(
        self, projection: Projection, envelope: Envelope, event: Event, stream_order: str
    ) -> None:
        self.projection = projection
        self.cause = Cause(projection.name, envelope.stream_id, envelope.id, stream_order)
        self.source = envelope
        self.has_failed = False
        self._event: Event | None = event
        self._encoder = DerivedEventEncoder(envelope, projection.name)
        self.restart()

    def restart(self) -> None:
        """Start again from the first derived event, unless the fan-out is completed."""
        self.derived_count = 0
        self.is_done = self._event is None
        self._events: Iterator[Event] = iter(())
        if self._event is not None:
            self._events = _run(self.projection, self._event)
        self._ordinals = Ordinals()
        self._hash: hashlib.blake2b | None = None
        self._chunk: list[Write] = []
        self._chunk_bytes = 0

    def stop(self) -> None:
        """Derive no more, and free what that takes, as the fan-out is kept for its progress."""
        self.is_done = True
        self._event = None
        self._events = iter(())
        self._ordinals = Ordinals()
        self._chunk, self._chunk_bytes = [], 0

    def fail(self) -> None:
        """Stop because some of the derived events cannot be stored."""
        self.has_failed = True
        self.stop()

    @property
    def fingerprint(self) -> str:
        """A hash of the documents in complete chunks, empty for a single chunk."""
        return "" if self._hash is None else self._hash.hexdigest()

    @property
    def held(self) -> tuple[int, int]:
        """The number of writes in the incomplete chunk, and their bytes."""
        return len(self._chunk), self._chunk_bytes

    def next_writes(self, turn: Turn) -> list[Write] | None:
        """Return the next chunk: up to 10,000 derived events and 16 MB.

        So of a single chunk all are written or none. The first chunks of a large fan-out are
        written before it is known whether it succeeds.

        Args:
            turn: The time in which to derive.

        Returns:
            The chunk, None if the turn ends before it is complete.

        Raises:
            PoisonError: If the projection fails, or emits what it may not.
        """
        chunk, first = self._chunk, self.derived_count
        now, turn_ends = turn.clock, turn.ends
        for event in self._events:
            write = self._to_write(event, first + len(chunk))
            chunk.append(write)
            self._chunk_bytes += len(write.body)
            if len(chunk) >= CHUNK_SIZE or self._chunk_bytes >= MAX_CHUNK_BYTES:
                break
            if now() >= turn_ends:
                return None
        else:
            self.is_done = True
        self._chunk, self._chunk_bytes = [], 0
        self.derived_count += len(chunk)
        if self._hash is None and not self.is_done:
            self._hash = hashlib.blake2b(digest_size=16)
        if self._hash is not None:
            for write in chunk:
                self._hash.update(write.body)
            if self.is_done:
                self.stop()
        return chunk

    def skip(self, count: int, turn: Turn) -> None:
        """Pass over derived events without writing them, up to a number of them in all."""
        digest = self._hash = self._hash or hashlib.blake2b(digest_size=16)
        try:
            for event in self._events:
                write = self._to_write(event, self.derived_count)
                digest.update(write.body)
                self.derived_count += 1
                if self.derived_count >= count or turn.is_over:
                    return
        except PoisonError:
            pass
        self.is_done = True

    def _check(self, event: Event) -> tuple[str, str]:
        """Return the stream of a derived event, and its fields as JSON."""
        if type(event) not in self.projection.derived_types:
            raise self._invalid(event, "which its annotation does not declare")
        try:
            stream_id = stream_of(event)
        except Exception as error:
            raise self._invalid(event, "without a usable entity_id") from error
        try:
            return stream_id, event.model_dump_json()
        except Exception as error:
            raise self._invalid(event, "with fields that cannot be stored") from error

    def _to_write(self, event: Event, index: int) -> Write:
        stream_id, data = self._check(event)
        event_type = event.stored_name
        event_id = derived_event_id(
            projection=self.projection.name,
            source_stream=self.cause.stream_id,
            source_id=self.cause.event_id,
            event_type=event_type,
            stream=stream_id,
            ordinal=self._ordinals.next(event_type, stream_id),
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
