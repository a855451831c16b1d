"""Where a declaration is in the author's files."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


def location_of(declared: type | Callable[..., Any]) -> str:
    """Return the file and the line of a class or a function: `projections/orders.py:12`.

    The file is relative to the working directory, if it is inside of it.
    """
    try:
        source = declared if isinstance(declared, type) else inspect.unwrap(declared)
        path = Path(inspect.getsourcefile(source) or "")
        _, line = inspect.getsourcelines(source)
    except (OSError, TypeError):
        return declared.__module__
    return f"{shorten(path)}:{line}"


def shorten(path: Path) -> Path:
    """Return a path relative to the working directory, if it is inside of it."""
    folder = Path.cwd()
    return path.relative_to(folder) if path.is_relative_to(folder) else path
