"""What docs/compatibility.md calls stable, and a test can look up, is stable."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from admin.__main__ import app as admin
from tests.interface import FOLDER, Interface, interface
from tests.stored import version

VERSIONS = sorted(FOLDER.glob("*.json"))


def load(path: Path) -> Interface:
    names: Interface = json.loads(path.read_text(encoding="utf-8"))
    return names


@pytest.mark.parametrize("path", VERSIONS, ids=lambda path: path.stem)
def test_names_of_earlier_versions_are_still_there(path: Path) -> None:
    """None is gone, and none takes less than it did."""
    now = interface()
    for kind, names in load(path).items():
        known = [set(name.split(" ")) for name in now[kind]]
        for name in names:
            assert any(set(name.split(" ")) <= parts for parts in known), f"{kind}: {name}"


def test_the_names_of_this_version_are_recorded() -> None:
    """All of them; until it is released, with `python -m tests.interface`."""
    assert interface() == load(FOLDER / f"{version()}.json")


@pytest.mark.parametrize(
    "arguments", [["statuses"], ["status", "--watched"], ["deadletters", "show"]]
)
def test_wrong_arguments_end_with_exit_code_2(arguments: list[str]) -> None:
    """Nothing is done then."""
    assert CliRunner().invoke(admin, arguments).exit_code == 2
