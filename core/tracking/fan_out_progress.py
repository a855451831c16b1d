"""The progress of large fan-outs, stored in the lease container for whoever continues them."""

from __future__ import annotations

from base64 import b64decode, b64encode
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import Field, ValidationError

from core.camel_model import CamelModel
from core.cosmos.key_ranges import effective_partition_key
from core.ids import FAN_OUT_PROGRESS_PREFIX, fan_out_progress_id

if TYPE_CHECKING:
    from collections.abc import Mapping

    from core.cosmos.container import Container
    from core.throttling.deadline import Deadline
    from core.tracking.lease_sets import LeaseSet

_TTL_SECONDS = 30 * 24 * 3600
"""The seconds after which stored progress expires: no process continues the fan-out then."""


_CONTAINER_RID_BYTES = 8
_ALTERNATIVES = b"+-"
"""The characters of base64 in resource ids, which are used in URLs."""


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

    container: str = Field(default="", exclude=True)
    """The resource id of the events container; empty if it is not known. In another container,
    which may have the same name, nothing is durable yet."""

    lsn: int = Field(default=0, exclude=True)
    """The transaction of the source event, 0 if the change feed did not deliver it."""

    fingerprint: str = Field(exclude=True)
    """A hash of these events. A source event or code that leads to others must start again."""

    def to_document(self) -> dict[str, Any]:
        """Return the document that stores it."""
        hidden = {name: getattr(self, name) for name in ("container", "lsn", "fingerprint")}
        return {"id": self.id, **self.to_dict(), **hidden, "ttl": _TTL_SECONDS}

    @property
    def id(self) -> str:
        """The id of its document."""
        return fan_out_progress_id(
            projection=self.projection, source_stream=self.stream_id, source_id=self.event_id
        )

    def is_ahead_of(self, leases: LeaseSet) -> bool:
        """Return whether the event comes after the checkpoint of a lease that covers its stream.

        Otherwise it is processed: progress that is left was stored late by a process that did not
        know that another one had completed the fan-out, or by a replay.
        """
        return any(
            lease.is_on(self.container) and (lease.lsn is None or lease.lsn < self.lsn)
            for lease in leases.covering(effective_partition_key(self.stream_id))
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
        progress = (_progress(document) for document in documents)
        return [one for one in progress if one is not None]

    async def find(self, started: FanOutProgress, deadline: Deadline) -> FanOutProgress | None:
        """Return the progress that a process stored for the same fan-out, None if there is none.

        That of an event with the same stream and id in another container is not returned.
        """
        action = f"reading the progress of event {started.event_id}"
        document = await self.container.read(action, started.id, started.id, deadline)
        progress = None if document is None else _progress(document)
        is_same = progress is not None and progress.container == started.container != ""
        return progress if is_same else None

    async def save(self, progress: FanOutProgress, deadline: Deadline) -> None:
        """Store progress in place of what is stored of the same fan-out."""
        action = f"storing the progress of event {progress.event_id}"
        await self.container.upsert(action, progress.to_document(), deadline)

    async def remove(self, progress: FanOutProgress, deadline: Deadline) -> None:
        """Remove what is stored of a fan-out, if anything is."""
        action = f"removing the progress of event {progress.event_id}"
        await self.container.delete(action, progress.id, progress.id, deadline)


def container_rid(document_rid: str) -> str:
    """Return the resource id of a document's container, empty if there is none.

    The id of the document starts with it. A container that is created or restored later is another
    one, even if it has the same name.
    """
    try:
        decoded = b64decode(document_rid, altchars=_ALTERNATIVES, validate=True)
    except ValueError:
        return ""
    return b64encode(decoded[:_CONTAINER_RID_BYTES], altchars=_ALTERNATIVES).decode()


def _progress(document: Mapping[str, Any]) -> FanOutProgress | None:
    """Return the progress that a document stores, None if it is not readable."""
    try:
        return FanOutProgress.model_validate(document)
    except ValidationError:
        return None
