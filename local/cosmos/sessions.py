"""Session tokens: what a client has seen of a physical partition (pure)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from local.cosmos.errors import bad_request

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from local.cosmos.partitions import KeyRange

_MAX_DIGITS = 18


def session_token(partition_id: str, lsn: int) -> str:
    """Return `{id}:-1#{lsn}`: partition, version, global LSN."""
    return f"{partition_id}:-1#{lsn}"


def demanded_lsn(token: str, partition: KeyRange) -> int | None:
    """Return the LSN that a read of the partition must include, None if the token names none.

    A token of the partition itself counts; without one, those of the partitions that it was split
    from. A token may be a comma-separated list, and an entry may omit the version: `0:12`.

    Raises:
        ServiceError: 400, if the token is malformed.
    """
    lsns = dict(_entries(token))
    if partition.id in lsns:
        return lsns[partition.id]
    return max(_known(lsns, partition.parents), default=None)


def _known(lsns: dict[str, int], parents: Sequence[str]) -> list[int]:
    return [lsns[parent] for parent in parents if parent in lsns]


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
