"""The progress of large fan-outs, stored in the lease container for whoever continues them."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from pydantic.alias_generators import to_camel

from core.ids import FAN_OUT_PROGRESS_PREFIX, fan_out_progress_id

if TYPE_CHECKING:
    from collections.abc import Mapping

    from core.cosmos.container import Container
    from core.throttling.deadline import Deadline

_TTL_SECONDS = 30 * 24 * 3600
"""The seconds after which stored progress expires: no process continues the fan-out then."""


@dataclass(frozen=True, kw_only=True)
class FanOutProgress:
    """A number of derived events of a fan-out, from its first one, that are durable.

    Attributes:
        projection: The name of the projection.
        stream_id: The stream of the source event.
        event_id: The id of the source event.
        written: The number of derived events.
        fingerprint: A hash of these events. Code that emits other ones must start again.
    """

    projection: str
    stream_id: str
    event_id: str
    written: int
    fingerprint: str

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> FanOutProgress:
        """Return the progress that a document stores."""
        return cls(**{name: document[stored] for name, stored in _STORED.items()})

    def to_document(self) -> dict[str, Any]:
        """Return the document that stores it."""
        properties = {stored: getattr(self, name) for name, stored in _STORED.items()}
        return {"id": self.id, **properties, "ttl": _TTL_SECONDS}

    def to_dict(self) -> dict[str, Any]:
        """Return what is shown of it."""
        return {
            "projection": self.projection,
            "streamId": self.stream_id,
            "eventId": self.event_id,
            "written": self.written,
        }

    @property
    def id(self) -> str:
        """The id of its document."""
        return fan_out_progress_id(
            projection=self.projection, source_stream=self.stream_id, source_id=self.event_id
        )


_STORED = {field.name: to_camel(field.name) for field in fields(FanOutProgress)}
"""The properties of the document by field."""


@dataclass(frozen=True, kw_only=True)
class FanOutProgressStore:
    """Reads and writes the progress of fan-outs, beside the trigger's leases.

    Every method raises DeadlineExceededError if the deadline is reached, and CosmosError if Cosmos
    DB returns an error that is not retryable.

    Attributes:
        container: The lease container.
    """

    container: Container

    async def all(self, deadline: Deadline) -> list[FanOutProgress]:
        """Return the progress of all fan-outs that were started and not completed."""
        text = "SELECT * FROM c WHERE STARTSWITH(c.id, @prefix)"
        parameters = {"@prefix": FAN_OUT_PROGRESS_PREFIX}
        action = "reading the progress of fan-outs"
        documents = await self.container.query(action, text, parameters, deadline)
        return [FanOutProgress.from_document(document) for document in documents]

    async def find(self, started: FanOutProgress, deadline: Deadline) -> FanOutProgress | None:
        """Return the progress that a process stored for the same fan-out, None if there is none."""
        action = f"reading the progress of event {started.event_id}"
        document = await self.container.read(action, started.id, started.id, deadline)
        return None if document is None else FanOutProgress.from_document(document)

    async def save(self, progress: FanOutProgress, deadline: Deadline) -> None:
        """Store progress in place of what is stored of the same fan-out."""
        action = f"storing the progress of event {progress.event_id}"
        await self.container.upsert(action, progress.to_document(), deadline)

    async def remove(self, progress: FanOutProgress, deadline: Deadline) -> None:
        """Remove what is stored of a fan-out, if anything is."""
        action = f"removing the progress of event {progress.event_id}"
        await self.container.delete(action, progress.id, progress.id, deadline)
