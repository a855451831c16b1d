"""The application that is deployed, whatever it consists of."""

from __future__ import annotations

import ast
import importlib
import sys
from typing import Any

import azure.functions as func

import projections
from core.model.registry import Registry
from local.harness.processes import free_port
from tests.commands import ROOT, running


def declared() -> dict[str, Any]:
    """Return the functions that function_app.py declares, by name."""
    app: func.FunctionApp = importlib.import_module("function_app").app
    return {str(function.get_function_name()): function for function in app.get_functions()}


def test_every_module_is_a_function_that_repeats_failed_batches() -> None:
    """Whatever is added to `projections/` is deployed without further changes."""
    functions = declared()

    for module in Registry.discover(projections).modules:
        function = functions[f"project_{module}"]
        assert function.get_settings_dict("retry_policy")["max_retry_count"] == "-1"
        assert function.get_bindings_dict()["bindings"][0]["leaseContainerPrefix"] == f"{module}-"


def test_the_application_starts() -> None:
    """The Functions host loads function_app.py, and the health check answers."""
    port, cosmos_port = str(free_port()), str(free_port())
    arguments = ("local", "run", "--port", port, "--cosmos-port", cosmos_port)

    with running(*arguments, probe=f"http://127.0.0.1:{port}/api/health") as process:
        assert process.poll() is None


def test_modules_depend_on_core_and_the_standard_library_only() -> None:
    """Projections are pure functions: they use no service and read no environment."""
    for path in sorted((ROOT / "projections").rglob("*.py")):
        names = set[str]()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names.update(alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module:
                names.add(node.module)
        outside = {name.partition(".")[0] for name in names} - sys.stdlib_module_names
        assert outside <= {"core", "projections"}, path
        assert "os" not in names, path


def test_function_app_fits_on_one_screen() -> None:
    """It assembles the application and decides nothing."""
    assert len((ROOT / "function_app.py").read_text(encoding="utf-8").splitlines()) <= 40
