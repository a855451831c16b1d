"""JSON as the service reads and writes it: compact, in Unicode, with its forms of numbers.

An account in Azure (recorded, see `charges`) stored integers of 64 bits exactly and longer ones as
doubles, returned 1.0 as 1 and -0.0 as 0, and rejected numbers that a double cannot represent.
"""

from __future__ import annotations

import json
import math
from typing import Any, NoReturn

_MAX_SAFE_INTEGER = 2**53
_MIN_INTEGER, _MAX_INTEGER = -(2**63), 2**64 - 1
_DIGITS_OF_64_BITS = 19


def decode(text: bytes | str) -> Any:  # noqa: ANN401 - any JSON
    """Return the value of a JSON text.

    Raises:
        ValueError: If the text is not JSON, or contains half of a surrogate pair.
    """
    if isinstance(text, bytes):
        text = text.decode()
    value = _DECODER.decode(text)
    if "\\ud" in text or "\\uD" in text:
        encode(value).encode()  # raises for half of a surrogate pair
    return value


def _constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON.")


def _float(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text} is out of range.")
    return int(number) if number.is_integer() and abs(number) < _MAX_SAFE_INTEGER else number


def _int(text: str) -> float:
    if len(text) < _DIGITS_OF_64_BITS:
        return int(text)
    number = int(text)
    return number if _MIN_INTEGER <= number <= _MAX_INTEGER else _float(text)


_DECODER = json.JSONDecoder(parse_constant=_constant, parse_float=_float, parse_int=_int)

encode = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode
"""Returns the JSON text of a value; raises ValueError for numbers that JSON cannot represent."""
