"""Names and figures that pages take from the code are those of the code."""

from __future__ import annotations

import re

from core.cosmos.requests import REQUEST_TIMEOUT_SECONDS
from core.throttling.deadline import GRACE_SECONDS
from core.tracking.leases import LeaseState
from tests.documents.pages import ROOT


def row(page: str, start: str) -> str:
    """The row of a table that begins with a text."""
    (line,) = (
        line
        for line in (ROOT / "docs" / page).read_text(encoding="utf-8").splitlines()
        if line.startswith(f"| {start}")
    )
    return line


def test_troubleshooting_names_states_of_leases_that_exist() -> None:
    """Those of the tracker, and the one that status adds."""
    named = set(
        re.findall(
            r"(?:lease that is|One that is|leases) `(\w+)`", row("reliability.md", "lag grows")
        )
    )

    assert len(named) == 3
    assert named <= {state.value for state in LeaseState} | {"stalled"}


def test_the_reference_adds_up_how_long_an_invocation_takes() -> None:
    """As the doctor does: the longest request, and the grace for progress."""
    seconds = [
        float(number) for number in re.findall(r"(\d+) s\b", row("reference.md", "`Invocation"))
    ]

    assert seconds == [REQUEST_TIMEOUT_SECONDS, GRACE_SECONDS]
