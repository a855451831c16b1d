"""Session tokens, which name the state of a physical partition that a client saw (pure)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from local.cosmos.errors import bad_request

if TYPE_CHECKING:
    from collections.abc import Iterator

    from local.cosmos.partitions import KeyRange

_MAX_DIGITS = 18


def session_token(partition_id: str, lsn: int) -> str:
    """Return the session token `{id}:-1#{lsn}`: partition, version and global LSN."""
    return f"{partition_id}:-1#{lsn}"


def demanded_lsn(token: str, key_range: KeyRange) -> int | None:
    """Return the LSN that a read of a partition must include, None if the token names none.

    The token may be a comma-separated list, and an entry may omit the version: `0:12`. Without an
    entry for the partition itself, entries for its parents count.

    Raises:
        ServiceError: 400, if the token is malformed.
    """
    lsns = dict(_entries(token))
    if key_range.id in lsns:
        return lsns[key_range.id]
    return max((lsns[parent] for parent in key_range.parents if parent in lsns), default=None)


def _entries(token: str) -> Iterator[tuple[str, int]]:
    for entry in token.split(","):
        if not entry.strip():
            continue
        partition_id, _, versions = entry.strip().partition(":")
        segments = versions.split("#")
        text = segments[1] if len(segments) > 1 else segments[0]
        if not (text.isascii() and text.isdecimal() and len(text) <= _MAX_DIGITS):
            raise bad_request(f"The session token {token[:100]!r} is invalid.")
        yield partition_id, int(text)
