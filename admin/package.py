"""`python -m admin package`: what is deployed, as one file."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from pathspec import PathSpec

if TYPE_CHECKING:
    from collections.abc import Iterator

_IGNORED = ".funcignore"
_RANGES, _PINNED = "requirements.txt", "requirements.lock"
_EPOCH = (1980, 1, 1, 0, 0, 0)


def package(
    output: Annotated[Path, typer.Option(help="The file to write.")] = Path("build/package.zip"),
) -> None:
    """Put what .funcignore leaves into a zip file, with the pinned requirements of the lock file.

    The same files give the same bytes.
    """
    names = list(contents(Path()))
    output.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(output, "w") as archive:
        for name in names:
            source = _PINNED if name == _RANGES else name
            content = Path(source).read_bytes()
            archive.writestr(zipfile.ZipInfo(name, _EPOCH), content, zipfile.ZIP_DEFLATED)
    typer.echo(f"{output}: {len(names)} files, {output.stat().st_size:,} bytes")


def contents(folder: Path) -> Iterator[str]:
    """Names of the files that .funcignore leaves, as they are in the package."""
    lines = (folder / _IGNORED).read_text(encoding="utf-8").splitlines()
    ignored = PathSpec.from_lines("gitignore", lines)
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and not ignored.match_file(name):
            yield name
