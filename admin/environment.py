"""Where the commands find their settings, and how they end when something is wrong."""

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

SETTINGS = Path("local.settings.json")

_ACCOUNT = (CONNECTION_SETTING, f"{CONNECTION_SETTING}__accountEndpoint")

SettingsOption = Annotated[Path, typer.Option(help="Settings below the environment.")]


def environment(settings: Path) -> Mapping[str, str]:
    """Return the application settings: those of a file, overridden by the environment.

    Where neither names an account, and no other file was asked for, what is missing is taken from
    the settings of the app that `python -m local run` runs in this folder.

    Raises:
        SettingError: If a file cannot be read, or is of an app that does not run any more.
    """
    found = {**values(settings), **os.environ}
    if settings != SETTINGS or any(found.get(name, "").strip() for name in _ACCOUNT):
        return found
    path = _newest_running(settings_files(FOLDER))
    if path is None:
        return found
    typer.echo(f"Settings of the running app: {path}", err=True)
    return {**values(path), **{name: text for name, text in found.items() if text.strip()}}


def _newest_running(files: list[Path]) -> Path | None:
    """Return the newest file whose process runs; None where there is no file."""
    running = [file for file in files if is_running(file)]
    if files and not running:
        raise SettingError(
            CONNECTION_SETTING,
            f"is missing, and {files[-1]} is left from a python -m local run that has ended. "
            "Start it again, or set the connection.",
        )
    return running[-1] if running else None


def values(settings: Path) -> Mapping[str, str]:
    """`Values` of a local.settings.json, or a list of names and values as Azure gives it.

    `az functionapp config appsettings list` prints such a list. Empty where there is no file.

    Raises:
        SettingError: The file is there and cannot be read.
    """
    if not settings.exists():
        return {}
    try:
        content = json.loads(settings.read_text(encoding="utf-8"))
        if isinstance(content, list):
            return {str(each["name"]): str(each["value"]) for each in content}
        return {str(name): str(value) for name, value in content["Values"].items()}
    except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
        raise SettingError(
            str(settings), f"is no settings file with an object `Values` ({type(error).__name__})."
        ) from None


@asynccontextmanager
async def open_application(settings: Path) -> AsyncIterator[Application]:
    """Open the application for as long as it is used."""
    application = Application.discover(projections, environment(settings))
    try:
        yield application
    finally:
        await application.close()


def run(work: Coroutine[object, object, ResultT]) -> ResultT:
    """Run a command's work; an error becomes one line and exit code 1, Ctrl-C a clean end."""
    logging.basicConfig(level=logging.ERROR)  # the SDK warns of what the error says as well
    try:
        return asyncio.run(work)
    except EngineError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        raise typer.Exit(0) from None
