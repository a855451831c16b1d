"""Copies of the repository, in which the commands of the Makefile can be run."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from pathspec import PathSpec

from tests.commands import ROOT


def copy_repository(folder: Path) -> Path:
    """Return a copy of the files that git does not ignore, with the environment of this one."""
    lines = (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()
    ignored = PathSpec.from_lines("gitignore", [".git", *lines])

    def ignore(parent: str, names: list[str]) -> set[str]:
        return {name for name in names if ignored.match_file(relative(Path(parent, name)))}

    copy = folder / "repository"
    shutil.copytree(ROOT, copy, ignore=ignore)
    (copy / ".venv").symlink_to(sys.prefix, target_is_directory=True)
    for requirements in copy.glob("requirements*.txt"):
        os.utime(requirements, (0, 0))  # so that make takes the environment as it is
    return copy


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix() + ("/" if path.is_dir() else "")
