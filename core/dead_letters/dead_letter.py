"""Dead letters as values: the stored records of poison events."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import asdict, dataclass, fields, replace
from typing import TYPE_CHECKING, Any

from pydantic.alias_generators import to_camel

from core.ids import dead_letter_id
from core.model.times import format_time

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from core.dead_letters.poison import PoisonEvent
    from core.model.documents import Document


MAX_REASON_LENGTH = 4_000
"""The characters of a reason, which bound the size of a dead letter whatever the reason quotes."""


@dataclass(frozen=True, kw_only=True)
class DeadLetter:
    """A reference to an event with the error on which it failed, without the event's data.

    Attributes:
        id: The id, which is the same for the same event and projection.
        module: The name of the projection module.
        projection: The name of the projection; None if the event cannot be read.
        stream_id: The stream of the event; any JSON value if the document is not an event.
        event_id: The id of the event; any JSON value if the document is not an event.
        error_type: The name of the error.
        reason: The message of the error.
        traceback: The traceback of the author's error, empty if there is none.
        attempts: The number of attempts.
        first_failed_at: The time of the first failure, in UTC.
        last_failed_at: The time of the last failure, in UTC.
        feed_order: The place of the event in its stream, as text that sorts.
        blocking: Whether it blocks its lease.
        discard_reason: The reason why it is discarded, None if it is not.
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
    first_failed_at: str
    last_failed_at: str
    feed_order: str = ""
    blocking: bool = False
    discard_reason: str | None = None

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
            first_failed_at=format_time(now),
            last_failed_at=format_time(now),
            feed_order=cause.feed_order,
            blocking=poison.blocks,
        )

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> DeadLetter:
        """Return the dead letter that a document stores."""
        return cls(**{name: document[stored] for name, stored in _STORED.items()})

    def to_document(self) -> Document:
        """Return the document that stores it, which is also how it is shown."""
        return {stored: getattr(self, name) for name, stored in _STORED.items()}

    def is_preceded_by(self, other: DeadLetter) -> bool:
        """Return whether this event must wait for an earlier event of the same stream.

        An event that cannot be read belongs to all projections of its module.
        """
        return (
            self.module == other.module
            and self.stream_id == other.stream_id
            and (None in (self.projection, other.projection) or self.projection == other.projection)
            and other.feed_order < self.feed_order
        )

    def is_about(self, poison_event: PoisonEvent) -> bool:
        """Return whether it is the dead letter of a poison event."""
        cause = poison_event.cause
        own = (self.module, self.projection, self.stream_id, self.event_id)
        return own == (poison_event.module, cause.projection, cause.stream_id, cause.event_id)

    def matches(self, name: str | None) -> bool:
        """Return whether it belongs to a projection or a module, of which None is any."""
        return name in (None, self.module, self.projection)

    def failed_again(
        self, error_type: str, reason: str, traceback: str, now: datetime
    ) -> DeadLetter:
        """Return the dead letter after one more attempt."""
        return replace(
            self,
            error_type=error_type,
            reason=reason[:MAX_REASON_LENGTH],
            traceback=traceback,
            attempts=self.attempts + 1,
            last_failed_at=format_time(now),
        )

    def discard(self, reason: str) -> DeadLetter:
        """Return the dead letter as discarded for a reason."""
        return replace(self, discard_reason=reason, blocking=False)


_STORED = {field.name: to_camel(field.name) for field in fields(DeadLetter)}
"""The properties of the document by field."""


@dataclass(frozen=True, kw_only=True)
class DeadLetterCount:
    """The number of dead letters of one projection and one kind of error.

    Attributes:
        module: The name of the projection module.
        projection: The name of the projection; None for events that cannot be read.
        error_type: The name of the error.
        count: The number of dead letters.
        oldest_failed_at: The time of the oldest first failure, in UTC.
    """

    module: str
    projection: str | None
    error_type: str
    count: int
    oldest_failed_at: str

    def to_dict(self) -> dict[str, Any]:
        """Return what is shown of it."""
        return {to_camel(name): value for name, value in asdict(self).items()}


def count_dead_letters(dead_letters: Iterable[DeadLetter]) -> list[DeadLetterCount]:
    """Return the counts by projection and kind of error, the largest one first."""
    times: defaultdict[tuple[str, str | None, str], list[str]] = defaultdict(list)
    for dead_letter in dead_letters:
        key = (dead_letter.module, dead_letter.projection, dead_letter.error_type)
        times[key].append(dead_letter.first_failed_at)
    counts = [
        DeadLetterCount(
            module=module,
            projection=projection,
            error_type=error_type,
            count=len(failed_at),
            oldest_failed_at=min(failed_at),
        )
        for (module, projection, error_type), failed_at in times.items()
    ]
    return sorted(counts, key=lambda count: -count.count)
