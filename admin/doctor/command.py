"""`python -m admin doctor`: what is wrong, before the triggers start failing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

import projections
from admin.doctor.account import check_account
from admin.doctor.configuration import check_host, check_names, check_settings
from admin.doctor.findings import error
from admin.environment import SETTINGS, SettingsOption, environment, run, values
from core.application import Application
from core.errors import DefinitionError, SettingError

if TYPE_CHECKING:
    from admin.doctor.findings import Finding

_COLOURS = {"error": "red", "warning": "yellow"}


def doctor(
    settings: SettingsOption = SETTINGS,
    host: Annotated[Path, typer.Option(help="The host's configuration.")] = Path("host.json"),
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,  # noqa: FBT002 - a flag
) -> None:
    """Read the settings, connect, and say what is wrong and what to do; nothing is changed.

    Exit code 1 where projections would not work; warnings alone are 0.
    """
    found = run(_examine(settings, host))
    if as_json:
        typer.echo(json.dumps({"findings": [each.as_json() for each in found]}))
    else:
        _show(found)
    if any(each.level == "error" for each in found):
        raise typer.Exit(1)


async def _examine(path: Path, host: Path) -> list[Finding]:
    """Everything that is wrong, as far as one can see."""
    try:
        environ = environment(path)
        application = Application.discover(projections, environ)
        settings = application.settings
    except SettingError as failure:
        return [error("setting-unreadable", str(failure), "Correct it.")]
    except DefinitionError as failure:
        return [error("projection-wrong", str(failure), "Correct it.")]
    found = [*check_names(values(path)), *check_settings(settings, environ)]
    found += check_host(read, settings) if (read := _host(host)) is not None else [_no_host(host)]
    try:
        settings.require_connection()
    except SettingError as failure:
        return [*found, error("connection-missing", str(failure), "See docs/reference.md.")]
    account = check_account(settings, application.registry.modules)
    return [*found, *[each async for each in account]]


def _host(path: Path) -> dict[str, Any] | None:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None


def _no_host(path: Path) -> Finding:
    return error(
        "host-unreadable",
        f"{path} is missing, or is no JSON object.",
        "Run this in the folder of the app, or name the file with --host.",
    )


def _show(found: list[Finding]) -> None:
    console = Console()
    if not found:
        console.print("Nothing is wrong.")
        return
    table = Table(box=None, padding=(0, 2, 1, 0), show_header=False)
    for each in sorted(found, key=lambda finding: finding.level):
        colour = _COLOURS[each.level]
        table.add_row(f"[{colour}]{each.level}[/]", f"{each.what}\n[dim]{each.remedy}[/]")
    console.print(table)
