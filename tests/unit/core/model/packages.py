"""Packages of projection modules that a test writes."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType

EVENTS = """
from collections.abc import Iterator
from core import Command, Entity, Event, projection

class Base(Event, entity="thing"):
    @property
    def entity_id(self) -> str:
        return "1"

class A(Base, entity="thing"): pass
class B(Base, entity="thing"): pass
"""


PROJECTION = "\n@projection\ndef f(event: A) -> Iterator[B]:\n    yield B()\n"


def package(folder: Path, name: str, **modules: str) -> ModuleType:
    """A package of projection modules, imported anew, with its files by name."""
    root = folder / name
    root.mkdir()
    (root / "__init__.py").touch()
    for module, text in modules.items():
        path = root / f"{module}.py"
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_text(text, encoding="utf-8")
    return importlib.import_module(name)
