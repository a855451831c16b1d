"""Copies of the repository, in which the commands of the Makefile can be run."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.commands import ROOT


def copy_repository(folder: Path) -> Path:
    """Return a copy of the files that git would commit, with the environment of this one."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],  # noqa: S607 - found on the path
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    copy = folder / "repository"
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file():  # a deletion may not be committed yet
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, copy / name)
    (copy / ".venv").symlink_to(sys.prefix, target_is_directory=True)
    for requirements in copy.glob("requirements*.txt"):
        os.utime(requirements, (0, 0))  # so that make takes the environment as it is
    return copy
