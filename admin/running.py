"""Where `python -m local run` leaves the settings of the app that it runs."""

from __future__ import annotations

import os
from pathlib import Path

FOLDER = Path(".local")
"""The folder in that of the app."""


_PREFIX = "run-"


def settings_file(process_id: int) -> str:
    """Return the name of the file of a process."""
    return f"{_PREFIX}{process_id}.json"


def settings_files(folder: Path) -> list[Path]:
    """Return the files of an app in the order in which they were written, the newest last."""
    return sorted(folder.glob(f"{_PREFIX}*.json"), key=lambda file: file.stat().st_mtime)


def is_running(file: Path) -> bool:
    """Return whether the process that a file is named after runs."""
    try:
        os.kill(int(file.stem.removeprefix(_PREFIX)), 0)
    except (ValueError, ProcessLookupError):
        return False
    except PermissionError:  # it is another user's
        pass
    return True
