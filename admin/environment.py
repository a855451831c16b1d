"""The settings of the commands, and how a command reports an error."""

from __future__ import annotations

import asyncio
import json
import logging
import os
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

import projections
from admin.running import FOLDER, is_running, settings_files
from core.application import Application
from core.errors import EngineError, SettingError
from core.settings import CONNECTION_SETTING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine, Mapping

ResultT = TypeVar("ResultT")

DEFAULT_SETTINGS_FILE = Path("local.settings.json")

_ACCOUNT_SETTINGS = (CONNECTION_SETTING, f"{CONNECTION_SETTING}__accountEndpoint")

SettingsOption = Annotated[
    Path, typer.Option(help="Settings file. Environment variables take precedence.")
]


def load_environment(settings_file: Path) -> Mapping[str, str]:
    """Return the application settings of a file, overridden by the environment.

    If neither names an account and the file is the default one, the settings that are missing are
    those of the application that `python -m local run` runs in this folder.

    Raises:
        SettingError: If a file cannot be read, or only settings of ended applications exist.
    """
    environ = {**read_settings_file(settings_file), **os.environ}
    has_account = any(environ.get(name, "").strip() for name in _ACCOUNT_SETTINGS)
    if settings_file != DEFAULT_SETTINGS_FILE or has_account:
        return environ
    path = _newest_running(settings_files(FOLDER))
    if path is None:
        return environ
    typer.echo(f"Settings of the running application: {path}", err=True)
    given = {name: value for name, value in environ.items() if value.strip()}
    return {**read_settings_file(path), **given}


def _newest_running(files: list[Path]) -> Path | None:
    """Return the newest file whose process is running, or None if there are no files."""
    running = [file for file in files if is_running(file)]
    if files and not running:
        raise SettingError(
            CONNECTION_SETTING,
            f"is missing, and {files[-1]} is from a `python -m local run` that has ended. "
            "Start it again, or set the connection.",
        )
    return running[-1] if running else None


def read_settings_file(path: Path) -> Mapping[str, str]:
    """Return the settings of a file, or nothing if it does not exist.

    The file is a local.settings.json with an object `Values`, or the list of names and values that
    `az functionapp config appsettings list` prints.

    Raises:
        SettingError: If the file exists and cannot be read.
    """
    if not path.exists():
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(content, list):
            return {str(setting["name"]): str(setting["value"]) for setting in content}
        return {str(name): str(value) for name, value in content["Values"].items()}
    except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
        raise SettingError(
            str(path),
            f"is not a settings file with an object `Values` ({type(error).__name__}).",
        ) from None


@asynccontextmanager
async def open_application(settings_file: Path) -> AsyncIterator[Application]:
    """Open the application, and close it afterwards."""
    application = Application.discover(projections, load_environment(settings_file))
    try:
        yield application
    finally:
        await application.close()


def run_command(command: Coroutine[object, object, ResultT]) -> ResultT:
    """Run a command; print an error as one line and exit with 1, and exit with 0 on Ctrl-C."""
    logging.basicConfig(level=logging.ERROR)  # the SDK's warnings repeat the printed error
    try:
        return asyncio.run(command)
    except EngineError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        raise typer.Exit(0) from None
