"""What the commands print of events and leases, which may hold any text."""

from __future__ import annotations

import io
from datetime import datetime, timezone

import pytest
from rich.console import Console, RenderableType

from admin.deadletters import dead_letters_table
from admin.findings import findings_table
from admin.status import status_table
from core.dead_letters.dead_letter import DeadLetterSummary
from core.operations.finding import error
from core.tracking.fan_out_progress import FanOutProgress
from core.tracking.lag import Lag
from core.tracking.leases import Lease
from core.tracking.status import LeaseStatus, ModuleStatus

NOW = datetime(2026, 1, 1, tzinfo=timezone.utc)

texts = pytest.mark.parametrize("text", ["a[/x]", "[b]a", "a:key:b", "a\\"])
"""Texts that rich would not print as they are."""


def printed(table: RenderableType) -> str:
    output = io.StringIO()
    Console(file=output, width=300).print(table)
    return output.getvalue()


@texts
def test_dead_letters_are_printed_as_they_are(text: str) -> None:
    """Every field of them."""
    names = ("id", "module", "projection", "streamId", "eventId", "exceptionType", "firstFailedAt")
    dead_letter = DeadLetterSummary.from_document(dict.fromkeys(names, text))

    assert printed(dead_letters_table([dead_letter])).count(text) == 7


@texts
def test_leases_and_fan_outs_are_printed_as_they_are(text: str) -> None:
    """Whoever has written them."""
    document = {"id": "m-h_d_c..0", "LeaseToken": text, "Owner": text, "ContinuationToken": text}
    lease = LeaseStatus.from_lease(Lease.from_document(document), NOW, Lag())
    fan_out = FanOutProgress(
        projection=text, stream_id="s", event_id=text, written=1, fingerprint=""
    )
    module = ModuleStatus.from_leases("m", [lease], 0).model_copy(update={"fan_outs": (fan_out,)})

    assert printed(status_table([module], set(), NOW)).count(text) == 5


@texts
def test_findings_are_printed_as_they_are(text: str) -> None:
    """With what they name."""
    assert printed(findings_table([error("code", text, text)])).count(text) == 2
