"""How the commands show what is wrong with a deployment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from core.operations.finding import Finding

_COLORS = {"error": "red", "warning": "yellow"}


def findings_table(findings: Iterable[Finding]) -> Table:
    """Return a table with a row for each finding and its remedy, errors first."""
    table = Table(box=None, padding=(0, 2, 1, 0), show_header=False)
    for finding in sorted(findings, key=lambda finding: finding.severity):
        table.add_row(
            Text(finding.severity, _COLORS[finding.severity]),
            Text.assemble(finding.message, "\n", (finding.remedy, "dim")),
        )
    return table
