"""The evaluation of observations."""

from __future__ import annotations

import pytest

from local.conformance.check import (
    Check,
    Expectation,
    ExpectedRange,
    Finding,
    Observation,
    evaluate,
)
from local.conformance.report import summary
from local.conformance.workspace import Workspace

RANGE = ExpectedRange(low=0.9, high=1.1, source="measured")


async def nothing(workspace: Workspace) -> str:
    return ""


def evaluated(expected: Expectation, observed: Observation) -> Finding:
    return evaluate(Check(name="x", expected=expected, observe=nothing), observed)


@pytest.mark.parametrize(
    ("expected", "observed", "passed"),
    [
        ("201", "201", True),
        ("201", "409", False),
        (RANGE, 0.9, True),
        (RANGE, 1.1, True),
        (RANGE, 1.2, False),
        (RANGE, float("nan"), False),
        (RANGE, "1", False),
    ],
)
def test_an_observation_is_compared_with_the_expectation(
    expected: Expectation, observed: Observation, *, passed: bool
) -> None:
    """By equality, or by a range that includes its bounds."""
    assert evaluated(expected, observed).passed is passed


def test_a_finding_as_json_has_four_members() -> None:
    """A range is written with its source."""
    assert evaluated(RANGE, 1.0).to_dict() == {
        "name": "x",
        "expected": "0.9 to 1.1 (measured)",
        "observed": "1",
        "passed": True,
    }


def test_the_summary_counts_all_results() -> None:
    """A check that could not be run has not failed."""
    findings = [evaluated("a", "a"), evaluated("a", "b"), evaluated("a", "a")]
    skipped = Finding(name="x", expected="a", observed="not checked: no role", passed=None)

    assert "2 of 4 checks passed, 1 failed, 1 not run" in summary([*findings, skipped])
