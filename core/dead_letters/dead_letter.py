"""Dead letters as values: the stored records of poison events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, ValidationError

from core.camel_model import CamelModel
from core.dead_letters.bounds import Cut, bound
from core.ids import dead_letter_id
from core.model.times import format_time
from core.model.validation_errors import format_validation_errors

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from typing_extensions import Self

    from core.dead_letters.poison import PoisonEvent, ProjectionFailure
    from core.model.documents import Document

State = Literal["waiting", "blocking", "discarded"]


class DeadLetterSummary(CamelModel):
    """What lists show of a dead letter.

    Every field but the id has a default, so that what another version stored can be read.
    """

    id: str
    """The id, which is the same for the same event and projection."""

    module: str = ""
    """The name of the projection module."""

    projection: str | None = None
    """The name of the projection; null if the event cannot be read."""

    stream_id: Any = None
    """The stream of the event; any JSON value if the document is not an event."""

    event_id: Any = None
    """The id of the event; any JSON value if the document is not an event."""

    state: State = "waiting"
    """Whether it waits for a replay, blocks its lease, or is discarded."""

    error_type: str = ""
    """The name of the engine's error."""

    exception_type: str | None = None
    """The name of the author's exception, null if there is none."""

    place: str = ""
    """The line of the author's code that failed, or the invalid fields."""

    group: str = ""
    """A hash of module, projection, error and place, the same for failures of one kind."""

    attempts: int = 1
    """The number of attempts."""

    first_failed_at: str = ""
    """The time of the first failure, in UTC."""

    last_failed_at: str = ""
    """The time of the last failure, in UTC."""

    discard_reason: str | None = None
    """The reason why it is discarded, null if it is not."""

    unreadable: str | None = None
    """What of the stored document cannot be read, null if everything can."""

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """Return the dead letter that a document stores, with defaults for what cannot be read."""
        try:
            return cls.model_validate(document)
        except ValidationError as error:
            invalid = {detail["loc"][0] for detail in error.errors()}
            readable = {name: value for name, value in document.items() if name not in invalid}
            readable["unreadable"] = format_validation_errors(error)
            return cls.model_validate(readable)


class DeadLetter(DeadLetterSummary):
    """A reference to an event with the error on which it failed, without the event's data."""

    reason: str = ""
    """The message of the error."""

    traceback: str = ""
    """The traceback of the author's exception, empty if there is none."""

    stream_order: str = ""
    """The place of the event in its stream, as text that sorts."""

    cut: dict[str, Cut] = Field(default_factory=dict)
    """The fields that were cut to be stored, with the sizes and hashes of their whole values."""

    etag: str | None = Field(default=None, alias="_etag", exclude=True)
    """The version of the stored document, None if it is not stored."""

    @classmethod
    def from_poison_event(cls, poison: PoisonEvent, now: datetime) -> DeadLetter:
        """Return the dead letter of an event that failed for the first time."""
        cause = poison.cause
        fields = {
            "module": poison.module,
            "projection": cause.projection,
            "stream_id": cause.stream_id,
            "event_id": cause.event_id,
            "stream_order": cause.stream_order,
            **poison.failure._asdict(),
        }
        return cls(
            id=letter_id(poison),
            state="blocking" if poison.blocks else "waiting",
            group=poison.failure.group(poison.module, cause.projection),
            first_failed_at=format_time(now),
            last_failed_at=format_time(now),
            **bound(fields, {}),
        )

    def to_document(self) -> Document:
        """Return the document that stores it."""
        return self.model_dump(mode="json", by_alias=True, exclude={"unreadable"})

    def stop_blocking(self) -> DeadLetter:
        """Return the dead letter as waiting if it blocks its lease."""
        return self.model_copy(update={"state": "waiting"}) if self.state == "blocking" else self

    def fail_again(self, failure: ProjectionFailure, now: datetime) -> DeadLetter:
        """Return the dead letter after one more attempt, unchanged if it is discarded."""
        if self.state == "discarded":
            return self
        changes = {
            **bound(failure._asdict(), self.cut),
            "group": failure.group(self.module, self.projection),
            "attempts": self.attempts + 1,
            "last_failed_at": format_time(now),
        }
        return self.model_copy(update=changes)

    def block(self, failure: ProjectionFailure, now: datetime) -> DeadLetter:
        """Return the dead letter as blocking, unchanged if it is discarded."""
        if self.state == "discarded":
            return self
        return self.fail_again(failure, now).model_copy(update={"state": "blocking"})

    def discard(self, reason: str) -> DeadLetter:
        """Return the dead letter as discarded for a reason, without its traceback."""
        fields = bound({"discard_reason": reason, "traceback": ""}, self.cut)
        return self.model_copy(update={"state": "discarded", **fields})


def letter_id(poison: PoisonEvent) -> str:
    """Return the id of the dead letter of a poison event."""
    cause = poison.cause
    return dead_letter_id(
        module=poison.module,
        projection=cause.projection,
        source_stream=cause.stream_id,
        source_id=cause.event_id,
    )
