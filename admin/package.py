"""The command `python -m admin package`, which builds the file that is deployed."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from pathspec import PathSpec

from admin.doctor.command import no_host, read_host
from admin.doctor.configuration import check_dates

if TYPE_CHECKING:
    from collections.abc import Iterator

_IGNORE_FILE = ".funcignore"
_HOST_FILE = "host.json"
_REQUIREMENTS, _PINNED_REQUIREMENTS = "requirements.txt", "requirements.lock"
_EPOCH = (1980, 1, 1, 0, 0, 0)


def package(
    output: Annotated[Path, typer.Option(help="Zip file to write.")] = Path("build/package.zip"),
) -> None:
    """Write the deployment package: all files but those of .funcignore, as a zip file.

    Its requirements are the pinned ones of the lock file. The same files give the same bytes.
    Exit with code 1 if host.json cannot be read, or lets the host rewrite the dates in events.
    """
    path = Path(_HOST_FILE)
    host = read_host(path)
    if host is None:
        typer.echo(
            f"{no_host(path).message} Run this command in the application's folder.", err=True
        )
        raise typer.Exit(1)
    for finding in check_dates(host, {}):
        typer.echo(f"{finding.message} {finding.remedy}", err=True)
        raise typer.Exit(1)
    names = list(package_files(Path()))
    output.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(output, "w") as archive:
        for name in names:
            source = _PINNED_REQUIREMENTS if name == _REQUIREMENTS else name
            content = Path(source).read_bytes()
            archive.writestr(zipfile.ZipInfo(name, _EPOCH), content, zipfile.ZIP_DEFLATED)
    typer.echo(f"{output}: {len(names)} files, {output.stat().st_size:,} bytes")


def package_files(folder: Path) -> Iterator[str]:
    """Yield the relative paths of the files that .funcignore does not exclude."""
    lines = (folder / _IGNORE_FILE).read_text(encoding="utf-8").splitlines()
    ignored = PathSpec.from_lines("gitignore", lines)
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and not ignored.match_file(name):
            yield name
