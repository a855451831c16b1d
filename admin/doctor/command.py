"""The command `python -m admin doctor`, which checks a deployment before its triggers start."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

import projections
from admin.doctor.account import check_account
from admin.doctor.configuration import check_host, check_setting_names, check_settings
from admin.doctor.findings import error
from admin.environment import (
    DEFAULT_SETTINGS_FILE,
    SettingsOption,
    load_environment,
    read_settings_file,
    run_command,
)
from core.application import Application
from core.errors import DefinitionError, SettingError

if TYPE_CHECKING:
    from admin.doctor.findings import Finding

_COLORS = {"error": "red", "warning": "yellow"}


def doctor(
    settings: SettingsOption = DEFAULT_SETTINGS_FILE,
    host: Annotated[Path, typer.Option(help="Configuration file of the host.")] = Path("host.json"),
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,  # noqa: FBT002 - a flag
) -> None:
    """Check settings, host.json and account, and report each problem with its remedy.

    Change nothing. Exit with code 1 if there is an error; warnings alone exit with 0.
    """
    findings = run_command(_check(settings, host))
    if as_json:
        typer.echo(json.dumps({"findings": [finding.to_dict() for finding in findings]}))
    else:
        _show(findings)
    if any(finding.severity == "error" for finding in findings):
        raise typer.Exit(1)


async def _check(settings_file: Path, host: Path) -> list[Finding]:
    """Return all findings; those of the account only if the settings can be read."""
    try:
        environ = load_environment(settings_file)
        application = Application.discover(projections, environ)
        settings = application.settings
    except SettingError as failure:
        return [error("setting-invalid", str(failure), "Correct it.")]
    except DefinitionError as failure:
        return [error("projection-invalid", str(failure), "Correct it.")]
    findings = [
        *check_setting_names(read_settings_file(settings_file)),
        *check_settings(settings, environ),
    ]
    host_json = _read_host(host)
    findings += [_no_host(host)] if host_json is None else check_host(host_json, settings)
    try:
        settings.require_connection()
    except SettingError as failure:
        return [*findings, error("connection-missing", str(failure), "See docs/reference.md.")]
    account = check_account(settings, application.registry.modules)
    return [*findings, *[finding async for finding in account]]


def _read_host(path: Path) -> dict[str, Any] | None:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None


def _no_host(path: Path) -> Finding:
    return error(
        "host-json-invalid",
        f"{path} does not exist or is not a JSON object.",
        "Run this command in the application's folder, or name the file with --host.",
    )


def _show(findings: list[Finding]) -> None:
    console = Console()
    if not findings:
        console.print("No problems found.")
        return
    table = Table(box=None, padding=(0, 2, 1, 0), show_header=False)
    for finding in sorted(findings, key=lambda finding: finding.severity):
        color = _COLORS[finding.severity]
        table.add_row(
            f"[{color}]{finding.severity}[/]", f"{finding.message}\n[dim]{finding.remedy}[/]"
        )
    console.print(table)
