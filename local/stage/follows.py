"""Reads a follow graph: lines `A B`, which say that A follows B."""

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
"""The graph that comes with the project."""

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
_SHOWN = 3
_EXPECTED = "expected two names, `A B`, separated by spaces, tabs or commas"


class FollowFileError(Exception):
    """The file is no follow graph; says which lines are at fault and what was expected."""


@dataclass(frozen=True)
class Follow:
    """One line: `follower` follows `followed`."""

    follower: UUID
    followed: UUID

    @property
    def to_oneself(self) -> bool:
        """Whether the application will refuse it."""
        return self.follower == self.followed


def read_follows(path: Path, limit: int | None = None) -> list[Follow]:
    """All follows of a file in its order, repeated and self-follows included; at most `limit`.

    Names that are no UUIDs become UUIDs (UUIDv5). `#` begins a comment line; a header line and
    columns after the second are passed over; gzip is recognised by its content.

    Raises:
        FollowFileError: The file cannot be read, has unreadable lines, or has no follow in it.
    """
    rows = list(_rows(_text(path), path))
    if len(rows) > 1 and _is_header(rows[0], rows[1]):
        rows = rows[1:]
    if not rows:
        raise FollowFileError(f"{path} holds no follow: {_EXPECTED}, one pair a line.")
    return [Follow(user_id(a), user_id(b)) for a, b in rows[:limit]]


def user_id(name: str) -> UUID:
    """The name itself where it is a UUID, otherwise a UUIDv5 of it."""
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
    unreadable: list[str] = []
    for number, line in enumerate(text.splitlines(), start=1):
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        names = _names(stripped)
        if names is None:
            unreadable.append(f"line {number}: {stripped[:60]!r}")
        else:
            yield names
    if unreadable:
        shown = "; ".join(unreadable[:_SHOWN])
        more = f"; and {len(unreadable) - _SHOWN} more" if len(unreadable) > _SHOWN else ""
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
    """Column names: known ones, or words above a line that has only numbers and UUIDs."""
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
