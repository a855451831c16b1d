"""What the doctor says."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class Finding:
    """Something that is wrong, in plain words.

    Attributes:
        code: For programs; it stays the same from version to version.
        level: An error stops projections, or loses events; a warning costs money or time.
        what: What is wrong, with what.
        remedy: What to do about it.
    """

    code: str
    level: Literal["error", "warning"]
    what: str
    remedy: str

    def as_json(self) -> dict[str, str]:
        """By name."""
        return asdict(self)


def error(code: str, what: str, remedy: str) -> Finding:
    """Something that stops projections, or loses events."""
    return Finding(code=code, level="error", what=what, remedy=remedy)


def warning(code: str, what: str, remedy: str) -> Finding:
    """Something that costs money or time."""
    return Finding(code=code, level="warning", what=what, remedy=remedy)
