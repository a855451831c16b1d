"""Private words stay out of the code: names that were replaced by standard terms."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

CLASSES = frozenset(
    {
        *("Act", "Answer", "Budget", "BudgetSpentError", "Call", "Ceilings", "Coalescer", "Cursor"),
        *("Cursors", "Delivery", "Done", "Effort", "Emission", "Emitted", "Engine", "Failure"),
        *("Gate", "Gates", "Havoc", "Lane", "Load", "Mishaps", "Outcome", "Pace", "Passage"),
        *("Replayed", "Run", "Runner", "Script", "Sequences", "Source", "Stage", "Strike", "Sweep"),
        *("Ticket", "Unfinished", "Verdict", "What"),
    }
)
VARIABLES = frozenset({"each", "found"})

ALLOWED = {("local/cosmos/query/tree.py", "Call")}
"""Where a name is the standard term: a call in a parsed query."""

FOLDERS = sorted(
    {
        path.parent.relative_to(ROOT).as_posix()
        for package in ("core", "admin", "local", "examples", "benchmarks", "tests")
        for path in (ROOT / package).rglob("*.py")
        if ".venv" not in path.parts  # what benchmarks install for comparison
    }
)


def private_names(tree: ast.AST) -> Iterator[str]:
    """Yield the private names of classes and variables that a file defines."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef) and not is_declared_by_an_author(node):
            yield from {node.name} & CLASSES
        elif isinstance(node, ast.arg) and node.arg in VARIABLES:
            yield node.arg
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield from {node.id} & VARIABLES


def is_declared_by_an_author(node: ast.ClassDef) -> bool:
    """Return whether a class is part of an application, which has words of its own."""
    bases = {base.id for base in node.bases if isinstance(base, ast.Name)}
    return bool(bases & {"Event", "Command", "Entity"})


def in_folder(folder: str) -> list[str]:
    """Return the private names in the files of a folder, with the file of each."""
    paths = [path.relative_to(ROOT).as_posix() for path in sorted((ROOT / folder).glob("*.py"))]
    return [
        f"{path}: {name}"
        for path in paths
        for name in private_names(ast.parse((ROOT / path).read_text(encoding="utf-8")))
        if (path, name) not in ALLOWED
    ]


@pytest.mark.parametrize("folder", FOLDERS)
def test_private_names_stay_out(folder: str) -> None:
    """Of the classes and variables of every folder."""
    assert in_folder(folder) == []


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("class Gate: ...", ["Gate"]),
        ("class RateLimiter: ...", []),
        ("class Done(Event): ...", []),
        ("found = 1", ["found"]),
        ("[each for each in ()]", ["each"]),
        ("async def f(*, found): return found", ["found"]),
        ("if (found := f()): pass", ["found"]),
        ("found_at = each.found", []),
    ],
)
def test_private_names_are_detected(code: str, expected: list[str]) -> None:
    """As classes, variables and arguments, but not as parts of other names."""
    assert list(private_names(ast.parse(code))) == expected
