from __future__ import annotations

import importlib
from pathlib import Path

import pytest

from core.testing.apps import registry_of

EVENT = """
from core import Event, Id

class {name}(Event, entity="thing"):
    thing_id: Id[str]
"""


@pytest.mark.parametrize("module", ["", ".things", "._shared.events"])
def test_the_package_of_any_file_is_the_application(
    module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the package itself, of a module in it, and of a helper in a folder."""
    name = f"app{len(module)}"
    package = tmp_path / name
    (package / "_shared").mkdir(parents=True)
    (package / "__init__.py").write_text(EVENT.format(name="A"), encoding="utf-8")
    (package / "things.py").write_text(EVENT.format(name="B"), encoding="utf-8")
    (package / "_shared" / "__init__.py").write_text("", encoding="utf-8")
    (package / "_shared" / "events.py").write_text(EVENT.format(name="C"), encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    declaring = importlib.import_module(f"{name}{module}")
    (event,) = (value for key, value in vars(declaring).items() if key in {"A", "B", "C"})

    assert set(registry_of(event).events) == {"A", "B", "C"}
