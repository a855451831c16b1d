"""The plugin of the test kit, in tests of any folder."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]

TESTS = """
from datetime import datetime, timezone
from decimal import Decimal
from uuid import UUID

from core.testing import given, projecting
from tests.apps.follows.followship import Followed
from tests.apps.orders.orders import Order, OrderPlaced, TouchOrder

ID = UUID(int=1)
PLACED = OrderPlaced(order_id=ID, lines=())


def test_no_then():
    given(PLACED).when(TouchOrder(order_id=ID))


def test_no_emits():
    projecting(Followed(user_id=ID, to_follow=ID))


def test_fields():
    assert Order(total=Decimal(1)) == Order(total=Decimal(2))


def test_whole():
    given(PLACED).when(TouchOrder(order_id=ID)).then_nothing()
    assert projecting(Followed(user_id=ID, to_follow=ID)).emitted
"""


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project with tests in the folder of an example."""
    folder = tmp_path_factory.mktemp("copy")
    for name in ("core", "local", "examples", "tests/apps"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("conftest.py", "pyproject.toml"):
        shutil.copy(ROOT / name, folder / name)
    tests = folder / "examples" / "followship" / "tests"
    tests.mkdir(exist_ok=True)
    (tests / "test_orders.py").write_text(TESTS, encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    ("start", "argument"),
    [
        pytest.param(".", "examples", id="from the root"),
        pytest.param("examples/followship", "tests", id="from the example"),
        pytest.param("examples/followship/tests", ".", id="from within"),
    ],
)
def test_the_plugin_works_from_any_folder(copy: Path, start: str, argument: str) -> None:
    """A sentence without an end fails its test, and differences are shown field by field."""
    done = subprocess.run(  # noqa: S603 - our own code
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", argument],
        cwd=copy / start,
        env={**os.environ, "PYTHONPATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )

    lines = [line.removeprefix("E").strip() for line in done.stdout.splitlines()]
    expected = (
        "test_orders.py:15: given(...).when(...) has no then(...): it checks nothing",
        "test_orders.py:19: projecting(...) has no emits(...): it checks nothing",
        "total: expected Decimal('2')",
        "got      Decimal('1')",
    )
    assert [line for line in expected if line not in lines] == [], done.stdout + done.stderr
    assert lines[-1].startswith("3 failed, 1 passed"), done.stdout
