"""The progress of large fan-outs, stored in the lease container for whoever continues them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import Field

from core.camel_model import CamelModel
from core.ids import FAN_OUT_PROGRESS_PREFIX, fan_out_progress_id

if TYPE_CHECKING:
    from core.cosmos.container import Container
    from core.throttling.deadline import Deadline

_TTL_SECONDS = 30 * 24 * 3600
"""The seconds after which stored progress expires: no process continues the fan-out then."""


class FanOutProgress(CamelModel):
    """A number of derived events of a fan-out, from its first one, that are durable."""

    projection: str
    """The name of the projection."""

    stream_id: str
    """The stream of the source event."""

    event_id: str
    """The id of the source event."""

    written: int
    """The number of derived events."""

    fingerprint: str = Field(exclude=True)
    """A hash of these events, which is not shown. Code that emits other ones must start again."""

    def to_document(self) -> dict[str, Any]:
        """Return the document that stores it."""
        stored = {**self.to_dict(), "fingerprint": self.fingerprint}
        return {"id": self.id, **stored, "ttl": _TTL_SECONDS}

    @property
    def id(self) -> str:
        """The id of its document."""
        return fan_out_progress_id(
            projection=self.projection, source_stream=self.stream_id, source_id=self.event_id
        )


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
        return [FanOutProgress.model_validate(document) for document in documents]

    async def find(self, started: FanOutProgress, deadline: Deadline) -> FanOutProgress | None:
        """Return the progress that a process stored for the same fan-out, None if there is none."""
        action = f"reading the progress of event {started.event_id}"
        document = await self.container.read(action, started.id, started.id, deadline)
        return None if document is None else FanOutProgress.model_validate(document)

    async def save(self, progress: FanOutProgress, deadline: Deadline) -> None:
        """Store progress in place of what is stored of the same fan-out."""
        action = f"storing the progress of event {progress.event_id}"
        await self.container.upsert(action, progress.to_document(), deadline)

    async def remove(self, progress: FanOutProgress, deadline: Deadline) -> None:
        """Remove what is stored of a fan-out, if anything is."""
        action = f"removing the progress of event {progress.event_id}"
        await self.container.delete(action, progress.id, progress.id, deadline)
