"""The command `python -m admin doctor`, which checks a deployment before its triggers start."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

import projections
from admin.doctor.account import check_account
from admin.doctor.configuration import check_dates, check_host, check_setting_names, check_settings
from admin.environment import (
    DEFAULT_SETTINGS_FILE,
    SettingsOption,
    load_environment,
    read_settings_file,
    run_command,
)
from admin.findings import findings_table
from core.application import Application
from core.errors import CosmosError, DeadlineExceededError, DefinitionError, SettingError
from core.operations.finding import error

if TYPE_CHECKING:
    from collections.abc import Sequence

    from core.operations.finding import Finding


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
    host_json = read_host(host)
    if host_json is None:
        findings.append(no_host(host))
    else:
        findings += [*check_host(host_json, settings), *check_dates(host_json, environ)]
    try:
        settings.require_connection()
    except SettingError as failure:
        return [*findings, error("connection-missing", str(failure), "See docs/reference.md.")]
    account = check_account(settings, application.registry.modules)
    findings += [finding async for finding in account]
    if any(finding.severity == "error" for finding in findings):
        return findings
    return [*findings, *await _check_progress(application)]


async def _check_progress(application: Application) -> Sequence[Finding]:
    """Return what is wrong with leases and records, as status and health show it."""
    try:
        return (await application.status.report()).findings
    except (CosmosError, DeadlineExceededError) as failure:
        return [error("status-unreadable", str(failure), "Correct it, or retry.")]
    finally:
        await application.close()


def read_host(path: Path) -> dict[str, Any] | None:
    """Return the content of a host.json, None if it does not exist or is not a JSON object."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None


def no_host(path: Path) -> Finding:
    """Return the finding for a host.json that cannot be read."""
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
    console.print(findings_table(findings))
