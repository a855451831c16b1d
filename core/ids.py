"""Deterministic ids: the same cause leads to the same id, on every run and every host.

The inputs and their order are frozen by golden vectors in the tests: a changed id would duplicate
every derived event that is stored.
"""

from __future__ import annotations

import json
import re
from hashlib import sha1, sha256
from typing import TYPE_CHECKING
from uuid import UUID, uuid5

from pydantic_core import to_json

if TYPE_CHECKING:
    from collections.abc import Sequence

_DERIVED_EVENTS = UUID("6f1c4b52-6a53-5a0f-9d0e-2f7f9d1f3c01")
_DEAD_LETTERS = UUID("6f1c4b52-6a53-5a0f-9d0e-2f7f9d1f3c03")
_FAN_OUT_PROGRESS = UUID("6f1c4b52-6a53-5a0f-9d0e-2f7f9d1f3c04")

_POSITION_DIGITS = 12
_OWN_EVENT = re.compile(rf"n\d{{{_POSITION_DIGITS}}}\Z", re.ASCII)

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


def own_event_id(position: int) -> str:
    """Return the id of the event that a command appended at a position of its stream.

    It sorts as text, so that the index on ids finds the highest position.
    """
    return f"n{position:0{_POSITION_DIGITS}d}"


def own_event_position(event_id: str) -> int | None:
    """Return the position of an event that a command appended, None for all other events."""
    return int(event_id[1:]) if _OWN_EVENT.match(event_id) else None


def is_own_id(event_id: str) -> bool:
    """Return whether an id begins with `n` and a digit, which only events of commands may have."""
    return "n0" <= event_id < "n:"


def key_id(idempotency_key: str) -> str:
    """Return the id of the document of an idempotency key, one for each stream."""
    return f"k{sha256(idempotency_key.encode(errors='surrogatepass')).hexdigest()[:32]}"


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
    try:
        return str(uuid5(namespace, canonical))
    except UnicodeEncodeError:  # half a character, which only escapes can write
        return str(uuid5(namespace, json.dumps(parts, separators=(",", ":"), sort_keys=True)))
