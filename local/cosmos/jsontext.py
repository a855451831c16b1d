"""JSON as the service reads and writes it: compact, Unicode, finite numbers only."""

from __future__ import annotations

import json
import math
from typing import Any, NoReturn


def decode(text: bytes | str) -> Any:  # noqa: ANN401 - any JSON
    """Text to value.

    Raises:
        ValueError: The text is no JSON, or has text that is no Unicode.
    """
    if isinstance(text, bytes):
        text = text.decode()
    value = _DECODER.decode(text)
    if "\\ud" in text or "\\uD" in text:
        encode(value).encode()  # raises for half of a surrogate pair
    return value


def _constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON.")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text} is out of range.")
    return number


_DECODER = json.JSONDecoder(parse_constant=_constant, parse_float=_finite)

encode = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode
"""Value to text; raises ValueError for numbers that JSON cannot express."""
