"""The documents to write."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from core.dead_letters.poison import PoisonEvent
    from core.errors import PoisonError


class Source(Protocol):
    """What a write follows from."""

    failed: bool

    @property
    def name(self) -> str:
        """Of the projection."""

    def fail(self, error: PoisonError) -> PoisonEvent:
        """What becomes of the source event when not all that follows from it can be stored."""


class Write(NamedTuple):
    """A document to be made durable in its stream; `body` is its JSON, as it is sent."""

    stream_id: str
    id: str
    body: bytes
    source: Source
