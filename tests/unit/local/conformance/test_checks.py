"""Whether an observation is what is believed."""

from __future__ import annotations

import pytest

from local.conformance.checks import Belief, Between, Check, Finding, Observation, judge
from local.conformance.report import sentence
from local.conformance.workspace import Workspace

RANGE = Between(low=0.9, high=1.1, source="measured")


async def nothing(workspace: Workspace) -> str:
    return ""


def judged(believed: Belief, seen: Observation) -> Finding:
    return judge(Check(name="x", believed=believed, observe=nothing), seen)


@pytest.mark.parametrize(
    ("believed", "seen", "ok"),
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
def test_an_observation_is_compared_with_the_belief(
    believed: Belief, seen: Observation, *, ok: bool
) -> None:
    """By equality, or by a range that includes its bounds."""
    assert judged(believed, seen).ok is ok


def test_a_finding_as_json_has_four_members() -> None:
    """A range is written with its source."""
    assert judged(RANGE, 1.0).to_dict() == {
        "name": "x",
        "believed": "0.9 to 1.1 (measured)",
        "seen": "1",
        "ok": True,
    }


def test_the_sentence_counts_all_verdicts() -> None:
    """What could not be checked is not a contradiction."""
    findings = [judged("a", "a"), judged("a", "b"), judged("a", "a")]
    skipped = Finding(name="x", believed="a", seen="not checked: no role", ok=None)

    assert "2 of 4 beliefs confirmed, 1 contradicted, 1 not checked" in sentence(
        [*findings, skipped]
    )
