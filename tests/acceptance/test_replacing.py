"""An author replaces what is in `projections/`, and everything else works as before."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.commands import ROOT
from tests.copies import copy_repository

ORDERS = '''"""Orders, and the invoices that follow from them."""

from collections.abc import Iterator

from core import Command, Event, projection


class Ordered(Event, entity="order"):
    """An order was placed."""

    number: int

    @property
    def entity_id(self) -> int:
        """The order."""
        return self.number


class Invoiced(Event, entity="invoice"):
    """An order was invoiced."""

    number: int

    @property
    def entity_id(self) -> int:
        """The invoice, which has the number of its order."""
        return self.number


class Order(Command):
    """A request for an order."""

    number: int

    def handle(self) -> Iterator[Ordered]:
        """Place the order."""
        yield Ordered(number=self.number)


@projection
def invoices(event: Ordered) -> Iterator[Invoiced]:
    """Invoice each order."""
    yield Invoiced(number=event.number)
'''
APPLICATIONS = {"empty": {}, "another": {"orders.py": ORDERS}}


@pytest.fixture(scope="module", params=APPLICATIONS)
def repository(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the repository with an application that replaces the one that it comes with."""
    copy = copy_repository(tmp_path_factory.mktemp(request.param))
    modules = copy / "projections"
    shutil.rmtree(modules)
    modules.mkdir()
    (modules / "__init__.py").write_text('"""Projection modules."""\n', encoding="utf-8")
    for name, text in APPLICATIONS[request.param].items():
        (modules / name).write_text(text, encoding="utf-8")
    (copy / "tests" / "projections" / "test_followship.py").unlink()
    if (ROOT / ".mypy_cache").exists():  # saves the type checker most of its work
        shutil.copytree(ROOT / ".mypy_cache", copy / ".mypy_cache")
    return copy


def make(repository: Path, target: str, arguments: str = "") -> str:
    done = subprocess.run(  # noqa: S603 - our own targets
        ["make", target, f"ARGS={arguments}"],  # noqa: S607 - found on the path, as by everybody
        cwd=repository,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.timeout(240)  # without a cache the type checker takes a minute
def test_checks_pass(repository: Path) -> None:
    """Format, lint, types and architecture."""
    make(repository, "check")


def test_all_tests_can_be_collected(repository: Path) -> None:
    """No test of the engine imports the application."""
    assert "tests collected" in make(repository, "test", "--collect-only --quiet")


def test_tests_of_the_engine_and_of_any_application_pass(repository: Path) -> None:
    """The latter ask for each module, whatever it is."""
    make(repository, "test", "--quiet tests/projections tests/unit/core/model")


@pytest.mark.parametrize("repository", ["empty"], indirect=True)
def test_the_demo_and_the_benchmarks_work(repository: Path) -> None:
    """They run the example."""
    assert "0 lost, 0 duplicated" in make(repository, "demo", "--limit 50")
    assert "of healthy" in make(repository, "bench", "poison --rounds 1 --batches 10")
