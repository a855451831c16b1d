"""The report of the findings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.markup import escape
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from local.conformance.check import Finding

_MARKS = {True: "[green]yes[/]", False: "[red]NO[/]", None: "[yellow]-[/]"}


def show(findings: Sequence[Finding], console: Console) -> None:
    """Print a table of the findings, and a summary."""
    table = Table(box=None, header_style="bold", padding=(0, 1))
    for heading in ("Check", "Expected", "Observed", "Passed"):
        table.add_column(heading, no_wrap=heading == "Check", overflow="fold")
    for finding in findings:
        texts = (escape(text) for text in (finding.name, finding.expected, finding.observed))
        table.add_row(*texts, _MARKS[finding.passed])
    console.print(table)
    console.print(summary(findings))


def summary(findings: Sequence[Finding]) -> str:
    """Return the numbers of checks that passed, failed and were not run."""
    counts = {passed: sum(finding.passed is passed for finding in findings) for passed in _MARKS}
    text = (
        f"{counts[True]} of {len(findings)} checks passed, {counts[False]} failed, "
        f"{counts[None]} not run."
    )
    return f"[red]{text}[/]" if counts[False] else f"[green]{text}[/]"
