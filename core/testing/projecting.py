"""Checks of what projections derive from an event."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from core.errors import PoisonError
from core.model.documents import Envelope, parse_event, to_document
from core.projecting.fan_out import FanOut
from core.projecting.turn import ENDLESS_TURN
from core.testing.apps import registry_of
from core.testing.rendering import compare_events, list_events
from core.testing.reordering import reordered
from core.testing.sentences import Sentence
from core.testing.watching import forbid_impure_calls

if TYPE_CHECKING:
    from collections.abc import Iterable

    from core.model.documents import Document
    from core.model.events import Event
    from core.model.projections import Projection
    from core.writing.writes import Write

_SOURCE_ID = "n000000000001"
_TIME = "2026-01-01T00:00:00.000000Z"


class Projected:
    """What was derived from an event.

    Args:
        event: The source event.
        emitted: The derived events in the order in which they were emitted.
        ids: Their ids.
        error: The error of the first projection that failed, None if none did.
    """

    def __init__(
        self,
        event: Event,
        emitted: tuple[Event, ...],
        ids: tuple[str, ...],
        error: PoisonError | None,
    ) -> None:
        self._event = event
        self._emitted = emitted
        self._ids = ids
        self._error = error
        self._sentence = Sentence("projecting(...) has no emits(...)")

    @property
    def emitted(self) -> tuple[Event, ...]:
        """The derived events in the order in which they were emitted."""
        self._sentence.end()
        return self._emitted

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids of the derived events."""
        self._sentence.end()
        return self._ids

    @property
    def error(self) -> PoisonError | None:
        """The error of the first projection that failed, None if none did."""
        self._sentence.end()
        return self._error

    def emits(self, *events: Event) -> Projected:
        """Check that exactly these events were derived, in this order.

        Raises:
            AssertionError: If others were derived, or a projection failed.
        """
        if self.error is not None:
            raise AssertionError(f"{self.error} ({self._cause()!r})") from self.error
        if self.emitted != events:
            given = f"projecting\n{list_events([self._event])}\n"
            raise AssertionError(given + compare_events(events, self.emitted, "emitted"))
        return self

    def emits_nothing(self) -> Projected:
        """Check that nothing was derived."""
        return self.emits()

    def fails(self, error: type[Exception]) -> Projected:
        """Check that a projection failed with an error of this class.

        Raises:
            AssertionError: If none failed, or with another error.
        """
        if self.error is None:
            raise AssertionError(f"No projection failed; emitted:\n{list_events(self.emitted)}")
        cause = self._cause()
        if not isinstance(cause, error):
            message = f"It failed with {cause!r}."
            raise AssertionError(message) from self.error  # noqa: TRY004 - as pytest expects
        return self

    def with_ids(self, *ids: str) -> Projected:
        """Check the ids of the derived events.

        Raises:
            AssertionError: If they differ, with the line to paste.
        """
        if self.ids != ids:
            line = ", ".join(f'"{one}"' for one in self.ids)
            raise AssertionError(f"The ids differ → .with_ids({line})")
        return self

    def _cause(self) -> BaseException | None:
        return self._error and (self._error.__cause__ or self._error)


def projecting(event: Event, by: Projection | None = None) -> Projected:
    """Run the projections that an event triggers, or one of them, as the engine does.

    Each one runs three times: on the event, on it again, and on an equal event whose dictionaries
    and sets have another order.

    Raises:
        AssertionError: If the event triggers no projection, or one is not pure.
    """
    registry = registry_of(type(event))
    triggered = [one for one in registry.projections.values() if type(event) in one.source_types]
    if not triggered:
        raise AssertionError(f"{type(event).__name__} triggers no projection.")
    writes: list[Write] = []
    error: PoisonError | None = None
    for projection in [by] if by else triggered:
        try:
            writes += _derive_purely(projection, event)
        except PoisonError as failure:
            error = error or failure
    envelopes = [Envelope.from_document(json.loads(write.body)) for write in writes]
    emitted = (parse_event(envelope, registry.events[envelope.type]) for envelope in envelopes)
    return Projected(event, tuple(emitted), tuple(write.id for write in writes), error)


def _derive_purely(projection: Projection, event: Event) -> list[Write]:
    with forbid_impure_calls(f"Projection {projection.name}"):
        writes = derive_writes(projection, event)
        again = derive_writes(projection, event)
        other_order = derive_writes(projection, reordered(event))
    for rerun, how in ((again, "it runs again"), (other_order, "a dict or set has another order")):
        if _contents(rerun) != _contents(writes):
            raise AssertionError(f"Projection {projection.name} emits other events when {how}.")
    return writes


def stored_document(event: Event) -> Document:
    """Return the document of an event, as if a command had appended it to an empty stream."""
    return {**to_document(event, "test"), "id": _SOURCE_ID, "time": _TIME}


def derive_writes(projection: Projection, event: Event) -> list[Write]:
    """Return the writes of all events that a projection derives from an event.

    Raises:
        PoisonError: If the projection fails.
    """
    fan_out = FanOut(projection, Envelope.from_document(stored_document(event)), event, "")
    writes: list[Write] = []
    while not fan_out.is_done:
        writes += fan_out.next_writes(ENDLESS_TURN) or ()
    return writes


def _contents(writes: Iterable[Write]) -> list[tuple[str, bytes]]:
    return [(write.id, write.body) for write in writes]
