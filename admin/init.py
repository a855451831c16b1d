"""The command `python -m admin init`, which creates the database and the containers."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from admin.environment import (
    DEFAULT_SETTINGS_FILE,
    SettingsOption,
    load_environment,
    run_command,
)
from core.cosmos.client import open_client
from core.cosmos.provisioning import ProvisionedContainer, provision
from core.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path


def init(
    settings: SettingsOption = DEFAULT_SETTINGS_FILE,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,  # noqa: FBT002 - a flag
) -> None:
    """Create the database and the containers that do not exist; change no existing ones."""
    containers = run_command(_provision(settings))
    if as_json:
        typer.echo(json.dumps({container.name: container.created for container in containers}))
        return
    for container in containers:
        typer.echo(f"{container.name}: {'created' if container.created else 'already exists'}")


async def _provision(path: Path) -> list[ProvisionedContainer]:
    settings = Settings.from_environ(load_environment(path))
    async with open_client(settings.require_connection()) as client:
        return await provision(client, settings)
