"""`python -m admin init`: creates the database and the containers."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from admin.environment import SETTINGS, SettingsOption, environment, run
from core.cosmos.client import open_client
from core.cosmos.provisioning import ProvisionedContainer, provision
from core.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path


def init(
    settings: SettingsOption = SETTINGS,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,  # noqa: FBT002 - a flag
) -> None:
    """Create the database and the containers that are missing; change nothing else."""
    found = run(_provision(settings))
    if as_json:
        typer.echo(json.dumps({each.name: each.created for each in found}))
        return
    for each in found:
        typer.echo(f"{each.name}: {'created' if each.created else 'was there'}")


async def _provision(path: Path) -> list[ProvisionedContainer]:
    settings = Settings.from_environ(environment(path))
    async with open_client(settings.require_connection()) as client:
        return await provision(client, settings)
