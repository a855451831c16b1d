from __future__ import annotations

from local.harness.cluster import count_calls_cut_off
from local.host import CUT_OFF_MESSAGE


def test_calls_that_a_host_was_cut_off_from_are_counted() -> None:
    """In the words of its log, however often that happened."""
    lines = ["started", f"WARNING {CUT_OFF_MESSAGE % 3}", f"WARNING {CUT_OFF_MESSAGE % 14}"]

    assert count_calls_cut_off("\n".join(lines)) == 17
