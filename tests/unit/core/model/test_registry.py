from __future__ import annotations

import importlib
from pathlib import Path

import pytest

from core.errors import DefinitionError, ProjectionCycleError, UnknownResourceError
from core.model.registry import Registry
from tests.apps import follows
from tests.unit.core.model.packages import EVENTS, PROJECTION, package


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
    folder = package(tmp_path, "found_one", one=first, two=second, _helper="x = 1", plain="y = 1")

    registry = Registry.discover(folder)

    assert list(registry.modules) == ["one", "two"]
    assert [projection.name for projection in registry.module("two").projections] == ["two.g"]
    assert sorted(registry.events) == ["A", "B", "Base", "C"]


def test_a_module_knows_its_projections_by_trigger(tmp_path: Path) -> None:
    """Several projections may be triggered by the same event."""
    text = (
        f"{EVENTS}\n"
        "@projection\ndef f(event: A) -> Iterator[B]: ...\n"
        "@projection\ndef g(event: A | B) -> Iterator[Base]: ...\n"
    )
    module = Registry.discover(package(tmp_path, "projections_by_type", m=text)).module("m")

    names = {
        name: [p.name for p in projections]
        for name, projections in module.projections_by_type.items()
    }

    assert names == {"A": ["m.f", "m.g"], "B": ["m.g"]}


def test_a_cycle_is_rejected_and_spelled_out(tmp_path: Path) -> None:
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


def test_names_declared_twice_are_rejected(tmp_path: Path) -> None:
    """Documents tell events by name only."""
    folder = package(tmp_path, "twice", one=EVENTS, two=EVENTS)

    with pytest.raises(
        DefinitionError, match=r"event Base is declared in .*one\.py:5 and .*two\.py:5 → name="
    ):
        Registry.discover(folder)


@pytest.mark.parametrize("helper", ["_events", "_lib/events", "_lib/__init__"])
def test_helper_files_declare_events_entities_and_commands(helper: str, tmp_path: Path) -> None:
    """In files and folders with a leading `_`, of which none has a trigger."""
    command = "class Do(Command):\n    def handle(self): return []\n"
    declared = f"{EVENTS}\nclass Thing(Entity): pass\n{command}"
    name = f"helped_by_{helper.replace('/', '')}"
    module = (
        f"from {name}.{helper.replace('/', '.').removesuffix('.__init__')} import *\n{PROJECTION}"
    )

    registry = Registry.discover(package(tmp_path, name, one=module, **{helper: declared}))

    assert list(registry.modules) == ["one"]
    assert sorted(registry.events) == ["A", "B", "Base"]
    assert (list(registry.commands), list(registry.entities)) == (["do"], ["thing"])


def test_the_package_itself_may_declare_events(tmp_path: Path) -> None:
    """`__init__.py` is a helper, too."""
    module = f"from with_events import *\n{PROJECTION}"
    folder = package(tmp_path, "with_events", _events="", one="")
    (tmp_path / "with_events" / "__init__.py").write_text(EVENTS, encoding="utf-8")
    (tmp_path / "with_events" / "one.py").write_text(module, encoding="utf-8")

    registry = Registry.discover(importlib.reload(folder))

    assert sorted(registry.events) == ["A", "B", "Base"]


@pytest.mark.parametrize("helper", ["_flow", "_lib/flow"])
def test_a_projection_in_a_helper_file_is_refused(helper: str, tmp_path: Path) -> None:
    """It would not run; the error has its place."""
    name = f"flow_{len(helper)}"
    folder = package(tmp_path, name, **{helper: f"{EVENTS}{PROJECTION}"})

    with pytest.raises(DefinitionError) as caught:
        Registry.discover(folder)

    path = tmp_path / name / f"{helper}.py"
    assert str(caught.value) == (
        f"{path}:13: projection {path.stem}.f is in a helper file and would not run → "
        "move it, or drop the `_`."
    )


def test_a_file_in_a_folder_is_refused(tmp_path: Path) -> None:
    """It would not be read, with or without an `__init__.py`."""
    folder = package(tmp_path, "nested", **{"orders/stock": f"{EVENTS}{PROJECTION}"})

    with pytest.raises(DefinitionError, match=r"stock\.py: files in a folder are not read → move"):
        Registry.discover(folder)


def test_hidden_folders_are_no_part_of_a_package(tmp_path: Path) -> None:
    """Editors keep copies in them."""
    folder = package(tmp_path, "edited", **{"one": EVENTS, ".copies/one": "raise ValueError"})

    assert sorted(Registry.discover(folder).events) == ["A", "B", "Base"]


def test_projections_made_in_a_loop_are_found(tmp_path: Path) -> None:
    """None of them is a variable of the module."""
    text = (
        f"{EVENTS}\n"
        "def make(name):\n"
        "    def made(event: A) -> Iterator[B]: ...\n"
        "    return projection(name=name)(made)\n"
        "for name in ('x', 'y'):\n"
        "    make(name)\n"
        "z = [make('z')]\n"
    )

    module = Registry.discover(package(tmp_path, "loop", m=text)).module("m")

    assert [one.name for one in module.projections] == ["x", "y", "z"]


def test_a_loop_without_names_is_refused(tmp_path: Path) -> None:
    """All would have the name of the function."""
    text = (
        f"{EVENTS}\n"
        "for _ in range(2):\n"
        "    @projection\n"
        "    def made(event: A) -> Iterator[B]: ...\n"
    )

    with pytest.raises(
        DefinitionError, match=r"projection m\.made is declared in .*m\.py:14 and .*m\.py:14"
    ):
        Registry.discover(package(tmp_path, "nameless_loop", m=text)).projections  # noqa: B018 - raises


def test_a_projection_belongs_to_the_file_that_writes_it(tmp_path: Path) -> None:
    """Another file that imports it does not run it once more."""
    one, two = f"{EVENTS}{PROJECTION}", "from exported.one import f"

    registry = Registry.discover(package(tmp_path, "exported", one=one, two=two))

    assert list(registry.modules) == ["one"]


def test_a_projection_from_elsewhere_is_refused(tmp_path: Path) -> None:
    """No file of the package writes it, so none would run it."""
    package(tmp_path, "elsewhere", m=f"{EVENTS}{PROJECTION}")
    folder = package(tmp_path, "importing", m="from elsewhere.m import f")

    with pytest.raises(
        DefinitionError, match=r"m\.py:13: projection m\.f is imported by importing\.m and"
    ):
        Registry.discover(folder)


USES_EVENT = """
from collections.abc import Iterator
from core import projection
import foreign_{n}.m as m

@projection
def f(event: m.A) -> Iterator[m.B]: ...
"""
REDUCES_EVENT = """
from core import Entity, reduces
import foreign_{n}.m as m

class Thing(Entity):
    @reduces
    def f(self, event: m.A) -> "Thing": ...
"""


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("from foreign_{n}.m import A", "Event A is declared in foreign_0.m"),
        ("from foreign_{n}.m import Do", "Command Do is declared in foreign_1.m"),
        ("from foreign_{n}.m import Thing", "Entity Thing is declared in foreign_2.m"),
        (USES_EVENT, r"projection m\.f: event type A of foreign_3\.m is not read"),
        (REDUCES_EVENT, r"entity thing: event type A of foreign_4\.m is not read"),
    ],
)
def test_declarations_from_elsewhere_are_refused(
    text: str, message: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """The engine would not read what they declare."""
    number = request.node.callspec.indices["text"]
    declared = f"{EVENTS}\nclass Thing(Entity): pass\nclass Do(Command): pass\n"
    package(tmp_path, f"foreign_{number}", m=declared)
    folder = package(tmp_path, f"importing_{number}", m=text.format(n=number))

    with pytest.raises(DefinitionError, match=message):
        Registry.discover(folder)


def test_base_classes_may_come_from_elsewhere(tmp_path: Path) -> None:
    """What is derived from them is read."""
    package(tmp_path, "bases", m=EVENTS)
    text = 'from bases.m import Base\nclass Mine(Base, entity="thing"): pass\n'

    assert list(Registry.discover(package(tmp_path, "derived", m=text)).events) == ["Mine"]


def test_unknown_names_are_told_with_the_known_ones() -> None:
    """A caller sees what there is."""
    registry = Registry.discover(follows)

    for look_up in (registry.module, registry.command, registry.entity):
        with pytest.raises(UnknownResourceError, match="known: follow"):
            look_up("nothing")
