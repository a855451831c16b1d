"""Parsing of follow graphs: lines `A B`, each of which means that A follows B."""

from __future__ import annotations

import csv
import gzip
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID, uuid5

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

POLBLOGS = Path(__file__).parent.parent / "data" / "polblogs.tsv.gz"
"""The graph that the project contains."""

_USERS = UUID("0c7f9f0a-5d0c-5c55-9a55-7f2f4a1c9b10")
_GZIP = b"\x1f\x8b"
_HEADER_WORDS = frozenset(
    (
        *("follower", "followed", "followee", "following", "follows", "to_follow"),
        *("source", "src", "target", "dst", "destination", "source_id", "target_id"),
        *("from", "to", "fromnodeid", "tonodeid", "rater", "ratee"),
        *("user", "user_id", "follower_id", "followed_id"),
    )
)
_NUMBER = re.compile(r"[+-]?\d+\Z")
_MAX_SHOWN = 3
_EXPECTED = "expected two names, `A B`, separated by spaces, tabs or commas"


class FollowFileError(Exception):
    """The file is not a follow graph; the message has the lines and the expected format."""


@dataclass(frozen=True)
class Follow:
    """One line of a graph: `follower` follows `followed`."""

    follower: UUID
    followed: UUID

    @property
    def users(self) -> tuple[UUID, UUID]:
        """The follower and the followed user."""
        return self.follower, self.followed

    @property
    def is_self_follow(self) -> bool:
        """Whether the users are the same, so that the application rejects the follow."""
        return self.follower == self.followed


def read_follows(path: Path, limit: int | None = None) -> list[Follow]:
    """Return the follows of a file in order, with repetitions and self-follows.

    Names that are not UUIDs become UUIDs (UUIDv5). `#` starts a comment line. A header line and
    columns after the second are skipped. Gzip is recognized by content.

    Args:
        path: The file.
        limit: The maximum number of follows.

    Raises:
        FollowFileError: If the file cannot be read, has malformed lines, or has no follow.
    """
    rows = list(_rows(_text(path), path))
    if len(rows) > 1 and _is_header(rows[0], rows[1]):
        rows = rows[1:]
    if not rows:
        raise FollowFileError(f"{path} contains no follow: {_EXPECTED}, one pair per line.")
    return [Follow(user_id(a), user_id(b)) for a, b in rows[:limit]]


def user_id(name: str) -> UUID:
    """Return the name if it is a UUID, and a UUIDv5 of it otherwise."""
    try:
        return UUID(name)
    except ValueError:
        return uuid5(_USERS, name)


def _text(path: Path) -> str:
    try:
        content = path.read_bytes()
        if content.startswith(_GZIP):
            content = gzip.decompress(content)
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise FollowFileError(f"{path}, line {line}: not UTF-8 text; {_EXPECTED}.") from None
    except (OSError, EOFError) as error:
        raise FollowFileError(f"Cannot read {path}: {error}.") from None


def _rows(text: str, path: Path) -> Iterator[tuple[str, str]]:
    malformed: list[str] = []
    for number, line in enumerate(text.splitlines(), start=1):
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        names = _names(stripped)
        if names is None:
            malformed.append(f"line {number}: {stripped[:60]!r}")
        else:
            yield names
    if malformed:
        shown = "; ".join(malformed[:_MAX_SHOWN])
        more = f"; and {len(malformed) - _MAX_SHOWN} more" if len(malformed) > _MAX_SHOWN else ""
        raise FollowFileError(f"{path}, {shown}{more}: {_EXPECTED}.")


def _names(line: str) -> tuple[str, str] | None:
    cells = [cell.strip() for cell in _split(line)]
    if len(cells) < 2 or not all(cells[:2]):  # noqa: PLR2004 - a follow has two sides
        return None
    if not all(cell.isprintable() for cell in cells[:2]):
        return None
    return cells[0], cells[1]


def _split(line: str) -> Sequence[str]:
    if "," in line:
        return next(csv.reader([line]))
    return line.split("\t") if "\t" in line else line.split()


def _is_header(first: tuple[str, str], second: tuple[str, str]) -> bool:
    """Return whether the first row is a header: known words, or words above numbers or UUIDs."""
    if all(cell.lower() in _HEADER_WORDS for cell in first):
        return True
    return all(map(_is_word, first)) and not any(map(_is_word, second))


def _is_word(cell: str) -> bool:
    if _NUMBER.match(cell):
        return False
    try:
        UUID(cell)
    except ValueError:
        return True
    return False
