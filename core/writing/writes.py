"""Writes of derived events, and their results."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from core.errors import RejectedByCosmosError
    from core.model.documents import Cause

_BLAMING_STATUSES = (400, 403, 413)
"""The statuses that a document itself causes: it is malformed, its stream is full, or it is too
large. A 403 for any other reason is not a rejection."""


class Write(NamedTuple):
    """A document to be stored in its stream; `body` is its JSON as it is sent."""

    stream_id: str
    id: str
    body: bytes
    cause: Cause


class Written(NamedTuple):
    """Writes that were acknowledged by one response."""

    writes: Sequence[Write]


class Rejected(NamedTuple):
    """A write that Cosmos DB will never accept, for which it alone is to blame."""

    write: Write
    error: RejectedByCosmosError


WriteResult = Written | Rejected


def is_to_blame(error: RejectedByCosmosError) -> bool:
    """Return whether a write that was sent individually caused its rejection."""
    return error.status in _BLAMING_STATUSES
