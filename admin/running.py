"""The files in which `python -m local run` stores the settings of the application it runs."""

from __future__ import annotations

import os
from pathlib import Path

FOLDER = Path(".local")
"""The folder of these files, relative to the application's folder."""

_PREFIX = "run-"


def settings_file(process_id: int) -> str:
    """Return the name of a process's file."""
    return f"{_PREFIX}{process_id}.json"


def settings_files(folder: Path) -> list[Path]:
    """Return the files in a folder, in the order in which they were written."""
    return sorted(folder.glob(f"{_PREFIX}*.json"), key=lambda file: file.stat().st_mtime)


def is_running(file: Path) -> bool:
    """Return whether the process that wrote a file is still running."""
    try:
        os.kill(int(file.stem.removeprefix(_PREFIX)), 0)
    except (ValueError, ProcessLookupError):
        return False
    except PermissionError:  # another user's process
        pass
    return True
