"""The file with the settings of the running app, which `python -m admin` reads."""

from __future__ import annotations

import json
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from admin.running import FOLDER, is_running, settings_file, settings_files

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path


@contextmanager
def shared_settings(app: Path, values: Mapping[str, str]) -> Iterator[Path]:
    """Write the settings to a file that only its owner can read, and remove it afterwards.

    Files of killed processes are removed, too.
    """
    folder = app / FOLDER
    folder.mkdir(exist_ok=True)
    for file in settings_files(folder):
        if not is_running(file):
            file.unlink(missing_ok=True)
    file = folder / settings_file(os.getpid())
    file.touch(mode=0o600)
    file.write_text(json.dumps({"Values": values}, indent=2) + "\n", encoding="utf-8")
    try:
        yield file
    finally:
        file.unlink(missing_ok=True)
