"""How partition keys spread over physical partitions."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any

import mmh3

_KEY_SPACE = 0x40 << 120
"""Hashes of partition keys lie below this: the two highest bits are cleared."""

_UNDEFINED: dict[str, Any] = {}


@dataclass(frozen=True, kw_only=True)
class Range:
    """The key range of a physical partition: `minimum` <= effective key < `maximum`."""

    id: str
    minimum: str
    maximum: str

    def holds(self, effective_key: str) -> bool:
        """Whether a partition key with this effective key lies here."""
        return self.minimum <= effective_key < self.maximum


def split_evenly(count: int) -> list[Range]:
    """Physical partitions of equal width over the whole key space, as of a new container."""
    borders = ["", *(f"{_KEY_SPACE * nth // count:032X}" for nth in range(1, count)), "FF"]
    return [
        Range(id=str(nth), minimum=borders[nth], maximum=borders[nth + 1]) for nth in range(count)
    ]


def effective_key(value: Any) -> str:  # noqa: ANN401 - any JSON scalar may be a partition key
    """Effective partition key: the hash (version 2) by which keys are spread, in hexadecimal.

    MurmurHash3 (128 bits, x64) over the value's type and content, the two highest bits cleared.
    `{}` stands for a document without the property.
    """
    hashed = mmh3.hash128(_encode(value), 0, x64arch=True) & ((1 << 126) - 1)
    return f"{hashed:032X}"


def _encode(value: Any) -> bytes:  # noqa: ANN401 - as above
    if value == _UNDEFINED and isinstance(value, dict):
        return b"\x00"
    if value is None:
        return b"\x01"
    if isinstance(value, bool):
        return b"\x03" if value else b"\x02"
    if isinstance(value, (int, float)):
        return b"\x05" + struct.pack("<d", value)
    return b"\x08" + str(value).encode() + b"\xff"
