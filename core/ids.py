"""Deterministic ids: the same cause leads to the same id, on every run and every host.

The inputs and their order are frozen by golden vectors in the tests: a changed id would duplicate
every derived event that is stored.
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
_FAN_OUT_PROGRESS = UUID("6f1c4b52-6a53-5a0f-9d0e-2f7f9d1f3c04")

FAN_OUT_PROGRESS_PREFIX = "fanout."
"""The prefix of the ids of fan-out progress."""


def derived_event_id(
    *,
    projection: str,
    source_stream: str,
    source_id: str,
    event_type: str,
    stream: str,
    ordinal: int,
) -> str:
    """Return the id of a derived event, a UUIDv5 (RFC 9562, section 5.5).

    The stream of the source is part of it because ids in Cosmos DB are unique only inside a logical
    partition. The ordinal counts from 0 among the events of the same type that one source event
    sends to the same stream, so that other output does not change any id.
    """
    parts = [projection, source_stream, source_id, event_type, stream, ordinal]
    # This is `_uuid` at a fifth of its cost: the JSON of text and integers is the same.
    text = sha1(_DERIVED_EVENTS.bytes + to_json(parts), usedforsecurity=False).hexdigest()
    variant = "89ab"[int(text[16], 16) & 3]
    return f"{text[:8]}-{text[8:12]}-5{text[13:16]}-{variant}{text[17:20]}-{text[20:32]}"


def command_event_id(*, command: str, key: str, event_type: str, stream: str, ordinal: int) -> str:
    """Return the id of an event that a command with an idempotency key appends."""
    return _uuid(_COMMAND_EVENTS, [command, key, event_type, stream, ordinal])


def correlation_id(*, command: str, key: str) -> str:
    """Return the correlation id of a command with an idempotency key."""
    return _uuid(_COMMAND_EVENTS, [command, key])


def dead_letter_id(
    *, module: str, projection: str | None, source_stream: object, source_id: object
) -> str:
    """Return the id of the dead letter of one event and one projection.

    The projection is None if the event cannot be read. The stream and id of the source may be any
    JSON value, because a document that is not an event may hold anything.
    """
    return _uuid(_DEAD_LETTERS, [module, projection, source_stream, source_id])


def fan_out_progress_id(*, projection: str, source_stream: str, source_id: str) -> str:
    """Return the id of the progress of one event's fan-out, in the lease container.

    Lease ids start with the name of a module and `-`. Names have no dot, so that no lease id starts
    like this one.
    """
    parts = [projection, source_stream, source_id]
    return f"{FAN_OUT_PROGRESS_PREFIX}{_uuid(_FAN_OUT_PROGRESS, parts)}"


def _uuid(namespace: UUID, parts: Sequence[object]) -> str:
    canonical = json.dumps(parts, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    return str(uuid5(namespace, canonical))
