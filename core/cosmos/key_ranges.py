"""Effective partition keys and ranges of them; pure."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import mmh3

_HASH_BITS = (1 << 126) - 1

_MAX_NAMES = 100_000
"""The names that are tried for one in a range; each of a thousand ranges has one of the first."""


@dataclass(frozen=True, kw_only=True)
class KeyRange:
    """A half-open range of effective partition keys: `end` is not in it."""

    start: str
    end: str

    def covers(self, other: KeyRange) -> bool:
        """Return whether this range contains all of another one."""
        return self.start <= other.start and other.end <= self.end

    def holds(self, effective_partition_key: str) -> bool:
        """Return whether a key is in this range."""
        return self.start <= effective_partition_key < self.end

    def overlap(self, other: KeyRange) -> KeyRange | None:
        """Return what this range has in common with another one, None if there is nothing."""
        start, end = max(self.start, other.start), min(self.end, other.end)
        return KeyRange(start=start, end=end) if start < end else None


def effective_partition_key(stream_id: str) -> str:
    """Return the effective partition key of a stream (version 2 of the hash).

    It is MurmurHash3 (128 bits, x64) of the value's type and content with the two highest bits
    cleared, as the SDKs compute it.
    """
    hashed = mmh3.hash128(b"\x08" + stream_id.encode() + b"\xff", 0, x64arch=True)
    return f"{hashed & _HASH_BITS:032X}"


@lru_cache(maxsize=1024)
def name_within(key_range: KeyRange) -> str:
    """Return a name that belongs to a range as a partition key."""
    names = (f"probe-{number}" for number in range(_MAX_NAMES))
    return next((name for name in names if key_range.holds(effective_partition_key(name))), "probe")
