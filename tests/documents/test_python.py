"""Python that documents show is right: it passes the type checker, and it is a working module."""

from __future__ import annotations

import ast
import importlib
import inspect
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from core.model.registry import Registry
from examples.followship.projections import followship
from tests.documents.pages import DOCUMENTS, ROOT, blocks, name_of

PAGES = [path for path in DOCUMENTS if blocks(path, "python")]

IMPORTS = {
    **dict.fromkeys(("Iterator", "Callable"), "collections.abc"),
    "UUID": "uuid",
    "datetime": "datetime",
    **dict.fromkeys(
        (
            "Command",
            "Conflict",
            "Entity",
            "Event",
            "Id",
            "Refused",
            "Value",
            "projection",
            "reduces",
            "upcast",
        ),
        "core",
    ),
    "CosmosClient": "azure.cosmos",
    **dict.fromkeys(
        ("WELL_KNOWN_KEY", "CosmosOptions", "EmbeddedCosmos", "run_in_thread"), "local.cosmos"
    ),
}
"""What a block may leave to the reader to import, and from where."""

EXAMPLES = (followship.Followed, followship.WasFollowed, followship.Follow, followship.Followship)
"""What a block may leave to the reader to declare, in an order in which it can be declared."""


def source(path: Path) -> str:
    """The blocks of a page as one module, in a coroutine where they wait for something."""
    shown = blocks(path, "python")
    if any(re.search(r"^\s*(async with|await)\b", block, re.MULTILINE) for block in shown):
        body = "".join(f"    {line}\n" for block in shown for line in block.splitlines())
        text = f"async def page() -> None:\n{body}"
    else:
        text = "\n\n".join(shown)
    for example in reversed(EXAMPLES):
        if example.__name__ in used(text) - defined(text):
            text = f"{inspect.getsource(example)}\n\n{text}"
    missing = sorted(used(text) & IMPORTS.keys() - defined(text))
    return "".join(f"from {IMPORTS[name]} import {name}\n" for name in missing) + text


def used(text: str) -> set[str]:
    """Names that a module uses."""
    return {node.id for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Name)}


def defined(text: str) -> set[str]:
    """Names that a module defines or imports."""
    definitions = (ast.ClassDef, ast.FunctionDef)
    nodes = list(ast.walk(ast.parse(text)))
    imported = {
        alias.name for node in nodes if isinstance(node, ast.ImportFrom) for alias in node.names
    }
    return imported | {node.name for node in nodes if isinstance(node, definitions)}


def module_name(path: Path) -> str:
    return "page_" + re.sub(r"\W", "_", name_of(path).removesuffix(".md")).lower()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pages as packages of one file."""
    folder = tmp_path_factory.mktemp("pages")
    for path in PAGES:
        package = folder / module_name(path)
        package.mkdir()
        (package / "__init__.py").write_text('"""A page."""\n', encoding="utf-8")
        (package / "page.py").write_text(source(path), encoding="utf-8")
    return folder


@pytest.mark.timeout(240)
def test_pages_pass_the_type_checker(folder: Path) -> None:
    """As strictly as the code."""
    done = subprocess.run(  # noqa: S603 - a fixed command
        [sys.executable, "-m", "mypy", "--config-file", "pyproject.toml", str(folder)],
        cwd=ROOT,
        env={**os.environ, "MYPYPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_pages_are_modules_that_work(
    path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What they declare is taken by the engine, and the tests that they show pass."""
    monkeypatch.syspath_prepend(folder)
    package = importlib.import_module(module_name(path))

    registry = Registry.discover(package)

    assert bool(registry.projections) == ("@projection" in source(path))
    page = importlib.import_module(f"{package.__name__}.page")
    for name, value in vars(page).items():
        if name.startswith("test_"):
            value()


def test_a_page_with_projections_is_found() -> None:
    """So that the tests above have something to test."""
    assert {"README.md", "docs/writing.md"} <= {name_of(path) for path in PAGES}
