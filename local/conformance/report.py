"""The findings as a table for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.markup import escape
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from local.conformance.checks import Finding

_MARKS = {True: "[green]yes[/]", False: "[red]NO[/]", None: "[yellow]-[/]"}


def show(findings: Sequence[Finding], console: Console) -> None:
    """Print each belief beside what was seen, and a sentence on all of them."""
    table = Table(box=None, header_style="bold", padding=(0, 1))
    for heading in ("Check", "Believed", "Seen", "Same"):
        table.add_column(heading, no_wrap=heading == "Check", overflow="fold")
    for finding in findings:
        texts = (escape(text) for text in (finding.name, finding.believed, finding.seen))
        table.add_row(*texts, _MARKS[finding.ok])
    console.print(table)
    console.print(sentence(findings))


def sentence(findings: Sequence[Finding]) -> str:
    """Return how many beliefs were confirmed, contradicted and not checked."""
    counts = {verdict: sum(each.ok is verdict for each in findings) for verdict in _MARKS}
    text = (
        f"{counts[True]} of {len(findings)} beliefs confirmed, {counts[False]} contradicted, "
        f"{counts[None]} not checked."
    )
    return f"[red]{text}[/]" if counts[False] else f"[green]{text}[/]"
