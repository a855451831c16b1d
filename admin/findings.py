"""How the commands show what is wrong with a deployment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.markup import escape
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Iterable

    from core.operations.finding import Finding

_COLORS = {"error": "red", "warning": "yellow"}


def findings_table(findings: Iterable[Finding]) -> Table:
    """Return a table with a row for each finding and its remedy, errors first."""
    table = Table(box=None, padding=(0, 2, 1, 0), show_header=False)
    for finding in sorted(findings, key=lambda finding: finding.severity):
        color = _COLORS[finding.severity]
        table.add_row(
            f"[{color}]{finding.severity}[/]",
            f"{escape(finding.message)}\n[dim]{escape(finding.remedy)}[/]",
        )
    return table
