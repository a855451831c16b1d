"""The wheel: what `pip wheel .` builds, and that an application can use it alone."""

from __future__ import annotations

import re
import subprocess
import sys
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check")
UV = (sys.executable, "-m", "uv", "--no-python-downloads")

APPLICATION = """
from collections.abc import Iterator

from core import Event, projection

class Ordered(Event, entity="order"):
    number: int

    @property
    def entity_id(self) -> int:
        return self.number

class Invoiced(Ordered, entity="invoice"):
    pass

@projection
def invoices(event: Ordered) -> Iterator[Invoiced]:
    yield Invoiced(number=event.number)
"""

DISCOVER = """
import app
import core.functions.routes, core.functions.triggers
from core.application import Application
from core.cosmos.containers import container_definitions

application = Application.discover(app, {})
print(core.__file__)
print(*application.registry.modules)
print(len(container_definitions(application.settings)))
"""


def run(*command: str, folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)  # noqa: S603 - our own commands


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built wheel; building needs two packages of the registry."""
    folder = tmp_path_factory.mktemp("wheel")
    built = run(*PIP, "wheel", ".", "--no-deps", "--wheel-dir", str(folder))
    if built.returncode != 0:
        reached = run(*PIP, "download", "hatchling", "--no-deps", "--dest", str(folder))
        if reached.returncode != 0:
            pytest.skip("the package registry cannot be reached")
    assert built.returncode == 0, built.stderr
    (path,) = folder.glob("*.whl")
    return path


@pytest.mark.timeout(240)
def test_the_wheel_holds_the_engine_alone(wheel: Path) -> None:
    """With its data and its marker for type checkers; no application, no tools, no tests."""
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}

    files = {path for path in (ROOT / "core").rglob("*") if path.suffix != ".pyc"}
    expected = {path.relative_to(ROOT).as_posix() for path in files if path.is_file()}
    assert names == expected
    assert {"core/py.typed", "core/cosmos/containers.json"} < names


@pytest.mark.timeout(240)
def test_the_wheel_requires_what_the_application_requires(wheel: Path) -> None:
    """The ranges of requirements.txt, and the same versions of Python."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith("/METADATA"))
        metadata = Parser().parsestr(archive.read(name).decode())

    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    expected = {parts(line) for line in lines if line and not line.startswith("#")}
    assert {parts(requirement) for requirement in metadata.get_all("Requires-Dist", [])} == expected
    assert metadata["Requires-Python"] == "<3.14,>=3.10"
    assert "Private :: Do Not Upload" in metadata.get_all("Classifier", [])


def parts(requirement: str) -> tuple[str, frozenset[str]]:
    """A requirement's name, and its bounds in any order."""
    match = re.fullmatch(r"([\w.-]+(?:\[\w+\])?)(.*)", requirement)
    assert match is not None
    return match[1], frozenset(match[2].split(","))


@pytest.mark.timeout(240)
def test_an_application_runs_on_the_wheel_alone(wheel: Path, tmp_path: Path) -> None:
    """In an environment with nothing else, and far from this repository."""
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "__init__.py").touch()
    (tmp_path / "app" / "orders.py").write_text(APPLICATION, encoding="utf-8")
    python = tmp_path / "venv" / "bin" / "python"

    made = run(*UV, "venv", "--python", sys.executable, str(tmp_path / "venv"))
    installed = run(*UV, "pip", "install", "--python", str(python), str(wheel))
    discovered = run(str(python), "-W", "error", "-c", DISCOVER, folder=tmp_path)

    assert (made.returncode, installed.returncode) == (0, 0), made.stderr + installed.stderr
    assert discovered.returncode == 0, discovered.stderr
    location, modules, containers = discovered.stdout.splitlines()
    assert Path(location).is_relative_to(tmp_path / "venv")
    assert (modules, containers) == ("orders", "3")
