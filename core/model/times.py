"""The times of events: one form, in which times sort as text; pure.

A time is UTC with six digits, of which the last is 0: `2026-01-02T10:00:00.123450Z`. A host that
rewrites dates cuts that 0 off, which shows in every event that the engine wrote.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from functools import lru_cache

STEP = timedelta(microseconds=10)
"""The smallest difference between two times."""

_SPELLING = re.compile(
    r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,7}))?(Z|[+-]\d\d:\d\d)", re.ASCII
)
_DIGITS = 6

_CANONICAL = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\.\d{5}0Z", re.ASCII)


def format_time(moment: datetime) -> str:
    """Return a time as events store it, cut to 10 microseconds."""
    text = moment.astimezone(timezone.utc).isoformat(timespec="microseconds")
    return f"{text[:25]}0Z"


def parse_time(text: str) -> datetime:
    """Return the time that a text spells with any offset and up to seven digits, cut to six.

    Raises:
        ValueError: If it is not such a text, or no such day or time of day exists.
    """
    match = _SPELLING.fullmatch(text)
    if match is None:
        raise ValueError("a time is written like 2026-01-02T10:00:00.123450Z")
    seconds, fraction, zone = match.groups()
    digits = (fraction or "")[:_DIGITS].ljust(_DIGITS, "0")
    offset = "+00:00" if zone == "Z" else zone
    try:
        return datetime.fromisoformat(f"{seconds}.{digits}{offset}").astimezone(timezone.utc)
    except (ValueError, OverflowError):
        raise ValueError("no such day or time of day exists") from None


def canonical_time(text: str) -> str:
    """Return a time in the form of `format_time`, whatever its spelling.

    Raises:
        ValueError: If `parse_time` raises it.
    """
    match = _CANONICAL.fullmatch(text)
    if match is not None and _is_second(match[1]):
        return text
    return format_time(parse_time(text))


@lru_cache(maxsize=1_024)
def _is_second(text: str) -> bool:
    """Return whether a time without its fraction exists; many events share it."""
    try:
        return format_time(parse_time(f"{text}Z")).startswith(text)
    except ValueError:
        return False


def is_canonical(text: str) -> bool:
    """Return whether a text is a time in the form of `format_time`."""
    try:
        return text == canonical_time(text)
    except ValueError:
        return False


def next_time(now: datetime, *earlier: str) -> str:
    """Return the first time that is not before `now` cut to 10 microseconds, and after all others.

    Args:
        now: The time of the clock.
        earlier: The times that come before it, in any spelling.

    Raises:
        ValueError: If one of them is not a time, or the last one there is.
    """
    try:
        return format_time(max([now, *(parse_time(text) + STEP for text in earlier)]))
    except OverflowError:
        raise ValueError("no time comes after the end of the year 9999") from None
