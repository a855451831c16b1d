"""What comes of an event: documents to write, or the finding that no attempt can project it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    from core.errors import PoisonError


@dataclass(frozen=True, kw_only=True)
class Poison:
    """An event that no attempt can project, and why.

    `projection` is None where the document could not be read at all. `stream_id` and `event_id`
    are whatever the document holds there. `order` is its place in its stream; `blocks` says that
    the line must wait for it.
    """

    module: str
    projection: str | None
    stream_id: Any
    event_id: Any
    reason: str
    error_type: str
    traceback: str = ""
    order: str = ""
    blocks: bool = False


class Source(Protocol):
    """What a write follows from."""

    failed: bool

    @property
    def name(self) -> str:
        """Of the projection."""

    def fail(self, error: PoisonError) -> Poison:
        """What becomes of the source event when not all that follows from it can be stored."""


class Write(NamedTuple):
    """A document to be made durable in its stream; `body` is its JSON, as it is sent."""

    stream_id: str
    id: str
    body: bytes
    source: Source
