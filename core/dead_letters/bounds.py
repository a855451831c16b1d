"""The bounds of what a dead letter stores; pure.

An event may hold anything, and its dead letter must be stored all the same. So every value has a
limit, in bytes of JSON: all of them together are less than 32 KB.
"""

from __future__ import annotations

import hashlib
import json
import math
from bisect import bisect_right
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic.alias_generators import to_camel

from core.camel_model import CamelModel

if TYPE_CHECKING:
    from collections.abc import Mapping

_LIMITS = {
    "reason": 4_000,
    "discard_reason": 4_000,
    "traceback": 8_000,
    "stream_id": 2_048,  # the longest partition key
    **dict.fromkeys(("error_type", "exception_type"), 256),
}
_DEFAULT_LIMIT = 1_024
_MAX_INTEGER = 2**53
"""The integers that JSON can hold exactly in every language."""


class Cut(CamelModel):
    """What a value was before it was cut, so that it can be recognized."""

    bytes: int
    """The size of the whole value in UTF-8."""

    sha256: str
    """The hash of the whole value."""


class _Bounded(NamedTuple):
    """A value that can be stored, and what was cut of it."""

    value: Any
    cut: Cut | None = None


def bound(values: Mapping[str, Any], cut: Mapping[str, Cut]) -> dict[str, Any]:
    """Return fields of a dead letter as they can be stored, with `cut` brought up to date.

    Args:
        values: The values by field.
        cut: What was cut of all fields before, by their names in JSON.
    """
    bounded = {name: _bound(name, value) for name, value in values.items()}
    latest = {to_camel(name): field.cut for name, field in bounded.items()}
    cuts = {name: lost for name, lost in {**cut, **latest}.items() if lost is not None}
    return {**{name: field.value for name, field in bounded.items()}, "cut": cuts}


def _bound(name: str, value: object) -> _Bounded:
    if value is None or isinstance(value, bool):
        return _Bounded(value)
    if isinstance(value, int) and abs(value) <= _MAX_INTEGER:
        return _Bounded(value)
    if isinstance(value, float) and math.isfinite(value):
        return _Bounded(value)
    text = value if isinstance(value, str) else _to_text(value)
    whole = text.encode("utf-8", "backslashreplace")  # half a character becomes its escape
    storable, limit = whole.decode(), _LIMITS.get(name, _DEFAULT_LIMIT)
    kept = _shorten(storable, limit, from_end=name == "traceback")
    if kept == storable:
        return _Bounded(storable)
    return _Bounded(kept, Cut(bytes=len(whole), sha256=hashlib.sha256(whole).hexdigest()))


def _to_text(value: object) -> str:
    try:
        return json.dumps(value, ensure_ascii=False)
    except (ValueError, RecursionError):
        return f"({type(value).__name__})"


def _shorten(text: str, limit: int, *, from_end: bool) -> str:
    """Return the beginning of a text, or its end, whose JSON has at most `limit` bytes."""
    part = text[-limit:] if from_end else text[:limit]
    if _json_size(part) <= limit:
        return part
    lengths = range(len(part) + 1)
    size = (
        (lambda n: _json_size(part[len(part) - n :]))
        if from_end
        else lambda n: _json_size(part[:n])
    )
    length = bisect_right(lengths, limit, key=size) - 1
    return part[len(part) - length :] if from_end else part[:length]


def _json_size(text: str) -> int:
    return len(json.dumps(text, ensure_ascii=False).encode()) - 2
