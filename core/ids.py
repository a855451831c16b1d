"""Deterministic ids: the same cause gives the same id, on every run and every host.

The inputs and their order are frozen for ever by golden vectors in the tests: a changed id
would double every derived event that is already stored.
"""

from __future__ import annotations

import json
from hashlib import sha1
from typing import TYPE_CHECKING
from uuid import UUID, uuid5

from pydantic_core import to_json

if TYPE_CHECKING:
    from collections.abc import Sequence

_DERIVED_EVENTS = UUID("6f1c4b52-6a53-5a0f-9d0e-2f7f9d1f3c01")
_COMMAND_EVENTS = UUID("6f1c4b52-6a53-5a0f-9d0e-2f7f9d1f3c02")
_DEAD_LETTERS = UUID("6f1c4b52-6a53-5a0f-9d0e-2f7f9d1f3c03")
_CURSORS = UUID("6f1c4b52-6a53-5a0f-9d0e-2f7f9d1f3c04")


FAN_OUT_PROGRESS_PREFIX = "fanout."
"""How the ids of cursors begin."""


def derived_event_id(
    *,
    projection: str,
    source_stream: str,
    source_id: str,
    event_type: str,
    stream: str,
    ordinal: int,
) -> str:
    """Id of a derived event, as text of a UUIDv5 (RFC 9562, section 5.5).

    The source's stream is part of it because Cosmos ids are unique only inside a logical
    partition. `ordinal` counts from 0 among the events of the same type that one source event
    sends into the same stream, so unrelated output may come and go without moving any id.
    """
    parts = [projection, source_stream, source_id, event_type, stream, ordinal]
    # As `_uuid` at a fifth of its cost: for text and whole numbers the JSON is the same.
    text = sha1(_DERIVED_EVENTS.bytes + to_json(parts), usedforsecurity=False).hexdigest()
    variant = "89ab"[int(text[16], 16) & 3]
    return f"{text[:8]}-{text[8:12]}-5{text[13:16]}-{variant}{text[17:20]}-{text[20:32]}"


def command_event_id(*, command: str, key: str, event_type: str, stream: str, ordinal: int) -> str:
    """Id of an event that a command with an idempotency key appends."""
    return _uuid(_COMMAND_EVENTS, [command, key, event_type, stream, ordinal])


def correlation_id(*, command: str, key: str) -> str:
    """Correlation id of a command with an idempotency key."""
    return _uuid(_COMMAND_EVENTS, [command, key])


def dead_letter_id(
    *, module: str, projection: str | None, source_stream: object, source_id: object
) -> str:
    """Id of the dead letter for one event and one projection.

    `projection` is None where the event could not be read at all. The source's stream and id
    may be any JSON value, since a document that is no event may hold anything.
    """
    return _uuid(_DEAD_LETTERS, [module, projection, source_stream, source_id])


def fan_out_progress_id(*, projection: str, source_stream: str, source_id: str) -> str:
    """Id of the cursor of one event's fan-out, in the lease container.

    Lease ids begin with a module's name and `-`; names have no dot, so no prefix begins this.
    """
    return f"{FAN_OUT_PROGRESS_PREFIX}{_uuid(_CURSORS, [projection, source_stream, source_id])}"


def _uuid(namespace: UUID, parts: Sequence[object]) -> str:
    canonical = json.dumps(parts, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    return str(uuid5(namespace, canonical))
