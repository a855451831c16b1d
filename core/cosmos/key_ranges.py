"""Effective partition keys and ranges of them; pure."""

from __future__ import annotations

from dataclasses import dataclass

import mmh3

_HASH_BITS = (1 << 126) - 1


@dataclass(frozen=True, kw_only=True)
class KeyRange:
    """A half-open range of effective partition keys: `end` is not in it."""

    start: str
    end: str

    def covers(self, other: KeyRange) -> bool:
        """Whether all of the other lies in this one."""
        return self.start <= other.start and other.end <= self.end

    def holds(self, effective_partition_key: str) -> bool:
        """Whether the key lies in this range."""
        return self.start <= effective_partition_key < self.end

    def overlap(self, other: KeyRange) -> KeyRange | None:
        """What both have in common."""
        start, end = max(self.start, other.start), min(self.end, other.end)
        return KeyRange(start=start, end=end) if start < end else None


def effective_partition_key(stream_id: str) -> str:
    """The effective partition key of a stream: the hash by which streams are spread (version 2).

    MurmurHash3 (128 bits, x64) over the value's type and content, the two highest bits cleared;
    as the SDKs compute it.
    """
    hashed = mmh3.hash128(b"\x08" + stream_id.encode() + b"\xff", 0, x64arch=True)
    return f"{hashed & _HASH_BITS:032X}"
