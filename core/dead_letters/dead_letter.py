"""Dead letters as values: what is kept of an event that could not be projected."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

from pydantic.alias_generators import to_camel

from core.ids import dead_letter_id
from core.model.documents import format_utc

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from core.dead_letters.poison import PoisonEvent
    from core.model.documents import Document


MAX_REASON_LENGTH = 4_000
"""Characters: names of fields may be of any length, and a letter must always be small enough."""


@dataclass(frozen=True, kw_only=True)
class DeadLetter:
    """A reference to an event, and why it could not be projected; never the event's data.

    Attributes:
        id: Deterministic: the same event and projection have the same letter for ever.
        module: The projection module.
        projection: The projection that failed; None where the event could not even be read.
        stream_id: Of the event; anything, where the document is no event.
        event_id: As above.
        error_type: Name of the error.
        reason: In words.
        traceback: Where a projection raised; empty otherwise.
        attempts: How often it was tried.
        first: When it was parked, UTC.
        last: When it was last tried, UTC.
        order: The event's place in its stream; text that sorts.
        blocking: Its lease waits for it.
        discarded: Why nobody wants it any more; None while it waits.
    """

    id: str
    module: str
    projection: str | None
    stream_id: Any
    event_id: Any
    error_type: str
    reason: str
    traceback: str
    attempts: int
    first: str
    last: str
    order: str = ""
    blocking: bool = False
    discarded: str | None = None

    @classmethod
    def from_poison_event(cls, poison: PoisonEvent, now: datetime) -> DeadLetter:
        """Return the dead letter of an event that failed for the first time."""
        cause = poison.cause
        return cls(
            id=dead_letter_id(
                module=poison.module,
                projection=cause.projection,
                source_stream=cause.stream_id,
                source_id=cause.event_id,
            ),
            module=poison.module,
            projection=cause.projection,
            stream_id=cause.stream_id,
            event_id=cause.event_id,
            error_type=poison.error_type,
            reason=poison.reason[:MAX_REASON_LENGTH],
            traceback=poison.traceback,
            attempts=1,
            first=format_utc(now),
            last=format_utc(now),
            order=cause.feed_order,
            blocking=poison.blocks,
        )

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> DeadLetter:
        """The letter of a stored document."""
        return cls(**{name: document[stored] for name, stored in _STORED.items()})

    def to_document(self) -> Document:
        """The document that stores it, which is also how it is shown."""
        return {stored: getattr(self, name) for name, stored in _STORED.items()}

    @property
    def name(self) -> str:
        """Whom it concerns: the projection, or the module where the event is unreadable."""
        return self.projection or self.module

    def is_preceded_by(self, other: DeadLetter) -> bool:
        """Whether the other one is an earlier event of the same stream that holds this one up.

        An unreadable event is one of all projections of its module.
        """
        return (
            self.module == other.module
            and self.stream_id == other.stream_id
            and (None in (self.projection, other.projection) or self.projection == other.projection)
            and other.order < self.order
        )

    def is_about(self, poison_event: PoisonEvent) -> bool:
        """Return whether it is the dead letter of a poison event."""
        cause = poison_event.cause
        own = (self.module, self.projection, self.stream_id, self.event_id)
        return own == (poison_event.module, cause.projection, cause.stream_id, cause.event_id)

    def matches(self, name: str | None) -> bool:
        """Whether it is one of a projection, or of a module; None means any."""
        return name in (None, self.module, self.projection)

    def failed_again(
        self, error_type: str, reason: str, traceback: str, now: datetime
    ) -> DeadLetter:
        """The letter after one more attempt."""
        return replace(
            self,
            error_type=error_type,
            reason=reason[:MAX_REASON_LENGTH],
            traceback=traceback,
            attempts=self.attempts + 1,
            last=format_utc(now),
        )

    def discard(self, reason: str) -> DeadLetter:
        """The letter that nobody wants any more."""
        return replace(self, discarded=reason, blocking=False)


_STORED = {field.name: to_camel(field.name) for field in fields(DeadLetter)}
"""Property of the document by field."""


@dataclass(frozen=True, kw_only=True)
class DeadLetterCount:
    """How many letters of one projection have one kind of error, and since when."""

    name: str
    error_type: str
    count: int
    oldest: str

    def as_json(self) -> dict[str, Any]:
        """By name."""
        return {
            "projection": self.name,
            "errorType": self.error_type,
            "count": self.count,
            "oldest": self.oldest,
        }


def count_dead_letters(letters: Iterable[DeadLetter]) -> list[DeadLetterCount]:
    """The letters counted by projection and kind of error, the most first."""
    found = list(letters)
    numbers = Counter((each.name, each.error_type) for each in found)
    return [
        DeadLetterCount(
            name=name,
            error_type=error_type,
            count=count,
            oldest=min(
                each.first for each in found if (each.name, each.error_type) == (name, error_type)
            ),
        )
        for (name, error_type), count in numbers.most_common()
    ]
