"""The faults of `make sabotage` can be put into the code as it is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.sabotage.mutation import Mutation, fault
from tests.sabotage.mutations import MUTATIONS
from tests.sabotage.runner import run
from tests.sabotage.tables import markdown

ROOT = Path(__file__).parent.parent


def name_of(mutation: Mutation) -> str:
    return mutation.name


@pytest.mark.parametrize("mutation", MUTATIONS, ids=name_of)
def test_a_fault_applies_to_the_code_as_it_is(mutation: Mutation) -> None:
    """Whoever changes that code adapts the fault, which would show nothing otherwise."""
    assert [edit for edit in mutation.edits if not edit.applies(ROOT)] == []
    assert not [edit for edit in mutation.edits if edit.old == edit.new]
    assert mutation.tests


@pytest.mark.parametrize("mutation", MUTATIONS, ids=name_of)
def test_the_tests_of_a_fault_exist(mutation: Mutation) -> None:
    """By file and, where it is named, function."""
    for test in mutation.tests:
        path, _, function = test.partition("::")
        assert (ROOT / path).exists()
        if function:
            text = (ROOT / path).read_text(encoding="utf-8")
            assert re.search(rf"^(async )?def {function.partition('[')[0]}\(", text, re.MULTILINE)


def test_faults_are_told_apart_by_name() -> None:
    """So that `--only` runs one."""
    names = [mutation.name for mutation in MUTATIONS]

    assert len(names) == len(set(names))


def test_the_documentation_lists_them() -> None:
    """As `python -m tests.sabotage --markdown` prints them."""
    assert markdown(MUTATIONS) in (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("new", "outcome"),
    [
        ("doubled = INITIAL_BACKOFF_SECONDS * 1.0", "noticed"),
        ("doubled = 1 * INITIAL_BACKOFF_SECONDS * 2.0", "survived"),
        ("doubled = (", "cannot run"),
    ],
)
def test_a_fault_is_noticed_only_if_a_test_fails(new: str, outcome: str) -> None:
    """A change that breaks nothing survives, and one that does not even load shows nothing."""
    mutation = fault(
        "example",
        "An example.",
        "core/throttling/backoff.py",
        "doubled = INITIAL_BACKOFF_SECONDS * 2.0",
        new,
        "tests/unit/core/throttling/test_backoff.py",
    )

    assert run(mutation).outcome == outcome


def test_a_fault_that_does_not_apply_is_not_run() -> None:
    """Neither is it noticed."""
    mutation = fault("example", "An example.", "core/ids.py", "no such text", "", "tests")

    assert run(mutation).outcome == "does not apply"
