"""Ordinals of derived events, counted from 0 by event type and target stream."""

from __future__ import annotations

import hashlib
from array import array

_FIRST_SLOTS = 16
_KEY_BYTES, _COUNT_BYTES = 8, 4
_NONE = array("Q")


class Ordinals:
    """The counts by type and stream, in 18 to 36 bytes for each of up to millions of streams.

    A dictionary would take two hundred bytes. This is a hash table with open addressing (Knuth, The
    Art of Computer Programming, volume 3, section 6.4), whose keys are 64 bits of a BLAKE2 digest
    that is the same in every process. If two streams share a key, which among a million happens
    once in thirty million times, their ids are still distinct, because the stream is part of them.
    """

    __slots__ = ("_counts", "_first", "_keys", "_used")

    def __init__(self) -> None:
        self._first: tuple[str, str] | None = None
        self._used = 0
        self._keys = _NONE

    def next(self, event_type: str, stream: str) -> int:
        """Return the next ordinal of a type and a stream."""
        if self._first is None:
            self._first = event_type, stream  # one alone needs no table
            return 0
        if not self._keys:
            self._allocate(_FIRST_SLOTS)
            self._count(_key(*self._first))
        return self._count(_key(event_type, stream))

    def _count(self, key: int) -> int:
        slot = self._slot(key)
        ordinal = self._counts[slot]
        if not ordinal:
            self._keys[slot] = key
            self._used += 1
        self._counts[slot] = ordinal + 1
        if not ordinal and self._used * 3 > len(self._keys) * 2:
            self._grow()
        return ordinal

    def _slot(self, key: int) -> int:
        """Return the slot of a key, or the free one where it belongs."""
        keys, mask = self._keys, len(self._keys) - 1
        slot = key & mask
        while keys[slot] not in (0, key):
            slot = (slot + 1) & mask
        return slot

    def _grow(self) -> None:
        keys, counts = self._keys, self._counts
        self._allocate(2 * len(keys))
        for key, count in zip(keys, counts, strict=True):
            if count:
                slot = self._slot(key)
                self._keys[slot], self._counts[slot] = key, count

    def _allocate(self, slots: int) -> None:
        self._keys = array("Q", bytes(_KEY_BYTES * slots))
        self._counts = array("I", bytes(_COUNT_BYTES * slots))


def _key(event_type: str, stream: str) -> int:
    """Return the key, never 0, which marks a free slot."""
    name = f"{event_type}\0{stream}".encode()
    return int.from_bytes(hashlib.blake2b(name, digest_size=_KEY_BYTES).digest(), "big") or 1
