"""Property paths of partition keys and indexing policies: `/name/"quoted name"/[]/?` (pure)."""

from __future__ import annotations

import re
from typing import NamedTuple

_SEGMENT = re.compile(
    r"""/(?:
        "(?P<double>(?:[^"\\]|\\.)*)"
        | '(?P<single>(?:[^'\\]|\\.)*)'
        | (?P<plain>\w+|\[\]|[*?])
    )(?=/|$)""",
    re.VERBOSE,
)


class PathError(ValueError):
    """A path that the service does not accept.

    Attributes:
        position: The index of the first invalid character.
    """

    def __init__(self, position: int) -> None:
        super().__init__(f"failed near position '{position}'")
        self.position = position


class Segment(NamedTuple):
    """One step of a path; a quoted segment is always a name."""

    name: str
    is_quoted: bool

    @property
    def is_wildcard(self) -> bool:
        """Whether it matches any element (`[]`), any value (`?`) or a whole branch (`*`)."""
        return not self.is_quoted and self.name in {"[]", "?", "*"}


def parse_path(path: str) -> tuple[Segment, ...]:
    """Return the segments of a path.

    Raises:
        PathError: If the path is empty, ends with a slash, or has an unquoted name with other
            characters than letters, digits and underscores.
    """
    segments: list[Segment] = []
    position = 0
    while position < len(path) or not segments:
        match = _SEGMENT.match(path, position)
        if match is None:
            raise PathError(position)
        plain = match["plain"]
        name = plain or match["double"] or match["single"] or ""
        segments.append(Segment(name, is_quoted=plain is None))
        position = match.end()
    return tuple(segments)
