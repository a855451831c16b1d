from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType

import pytest

from core.errors import DefinitionError, ProjectionCycleError, UnknownResourceError
from core.model.registry import Registry
from tests.apps import follows

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


def package(folder: Path, name: str, **modules: str) -> ModuleType:
    """A package of projection modules, imported anew."""
    root = folder / name
    root.mkdir()
    (root / "__init__.py").touch()
    for module, text in modules.items():
        (root / f"{module}.py").write_text(text, encoding="utf-8")
    return importlib.import_module(name)


@pytest.fixture(autouse=True)
def _importable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))


def test_an_application_is_found_without_wiring() -> None:
    """One file holds events, command, entity and projection."""
    registry = Registry.discover(follows)

    assert list(registry.modules) == ["followship"]
    assert sorted(registry.events) == ["Followed", "WasFollowed"]
    assert (list(registry.commands), list(registry.entities)) == (["follow"], ["followship"])


def test_adding_a_file_adds_a_module(tmp_path: Path) -> None:
    """Helpers and modules without projections have no trigger."""
    first = f"{EVENTS}\n@projection\ndef f(event: A) -> Iterator[B]:\n    yield B()\n"
    second = "from found_one.one import *\n@projection\ndef g(event: B) -> Iterator[C]: ...\n"
    second = second.replace("@proj", 'class C(Base, entity="thing"): pass\n@proj')
    found = package(tmp_path, "found_one", one=first, two=second, _helper="x = 1", plain="y = 1")

    registry = Registry.discover(found)

    assert list(registry.modules) == ["one", "two"]
    assert [each.name for each in registry.module("two").projections] == ["two.g"]
    assert sorted(registry.events) == ["A", "B", "Base", "C"]


def test_a_module_knows_its_projections_by_trigger(tmp_path: Path) -> None:
    """Several projections may be triggered by the same event."""
    text = (
        f"{EVENTS}\n"
        "@projection\ndef f(event: A) -> Iterator[B]: ...\n"
        "@projection\ndef g(event: A | B) -> Iterator[Base]: ...\n"
    )
    module = Registry.discover(package(tmp_path, "projections_by_type", m=text)).module("m")

    names = {name: [p.name for p in each] for name, each in module.projections_by_type.items()}

    assert names == {"A": ["m.f", "m.g"], "B": ["m.g"]}


def test_a_cycle_is_refused_and_spelled_out(tmp_path: Path) -> None:
    """Before anything runs."""
    text = (
        f"{EVENTS}\n"
        "@projection\ndef there(event: A) -> Iterator[B]: ...\n"
        "@projection\ndef back(event: B) -> Iterator[A]: ...\n"
    )

    with pytest.raises(ProjectionCycleError) as caught:
        Registry.discover(package(tmp_path, "cyclic", m=text))

    assert "-[m.there]-> B" in str(caught.value)
    assert "-[m.back]-> A" in str(caught.value)


def test_names_declared_twice_are_refused(tmp_path: Path) -> None:
    """Documents tell events by name only."""
    found = package(tmp_path, "twice", one=EVENTS, two=EVENTS)

    with pytest.raises(DefinitionError, match="declared twice"):
        Registry.discover(found)


def test_unknown_names_are_told_with_the_known_ones() -> None:
    """A caller sees what there is."""
    registry = Registry.discover(follows)

    for look_up in (registry.module, registry.command, registry.entity):
        with pytest.raises(UnknownResourceError, match="known: follow"):
            look_up("nothing")
