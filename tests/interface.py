"""The names that docs/compatibility.md calls stable, kept for the tests of all later versions.

`python -m tests.interface` records those of the version in pyproject.toml in
tests/fixtures/interface. Record them again as often as they change before the version is released,
and never after.
"""

from __future__ import annotations

import ast
import inspect
import json
from collections.abc import Iterator
from typing import Any

import azure.functions as func
import typer

import core
from admin.__main__ import app as admin
from core.application import Application
from core.functions.routes import register_routes
from core.settings import Settings
from tests.apps import notices
from tests.stored import ROOT, version

FOLDER = ROOT / "tests" / "fixtures" / "interface"

STABLE_ROUTES = ("commands/", "entities/", "health", "openapi.json")
"""How routes begin that are not for operators."""

Interface = dict[str, list[str]]
"""Names by what they name; after a blank what belongs to one, such as its options."""


def interface() -> Interface:
    """Return the names as they are now."""
    return {
        "api": sorted(" ".join([name, *_parameters(name)]) for name in core.__all__),
        "settings": sorted(str(field.alias) for field in Settings.model_fields.values()),
        "routes": sorted(_routes()),
        "commands": sorted(_commands(typer.main.get_command(admin), "admin")),
        "metrics": sorted(_metrics()),
    }


def _parameters(name: str) -> list[str]:
    """Return the parameters of a function; of a class none, for authors inherit from it."""
    value = getattr(core, name)
    return [] if inspect.isclass(value) else list(inspect.signature(value).parameters)


def _routes() -> Iterator[str]:
    app = func.FunctionApp()
    register_routes(app, Application.discover(notices, {}))
    for function in app.get_functions():
        binding = function.get_bindings_dict()["bindings"][0]
        if binding["route"].startswith(STABLE_ROUTES):
            for method in binding["methods"]:
                yield f"{getattr(method, 'value', method)} {binding['route']}"


def _commands(command: Any, name: str) -> Iterator[str]:
    for child in getattr(command, "commands", {}).values():
        yield from _commands(child, f"{name} {child.name}")
    if not hasattr(command, "commands"):
        options = sorted(option for parameter in command.params for option in parameter.opts)
        yield " ".join([name, *(option for option in options if option.startswith("-"))])


def _metrics() -> Iterator[str]:
    """Yield names and units of all instruments, from the calls that create them."""
    for path in (ROOT / "core").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                texts = [
                    str(argument.value)
                    for argument in node.args
                    if isinstance(argument, ast.Constant)
                ]
                if node.func.attr.startswith("create_") and len(texts) > 1:
                    yield " ".join(texts[:2])


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    text = json.dumps(interface(), indent=2)
    (FOLDER / f"{version()}.json").write_text(f"{text}\n", encoding="utf-8")
