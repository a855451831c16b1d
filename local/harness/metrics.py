"""Metrics as JSON, and as a table for people."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any

from pydantic.alias_generators import to_camel
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Iterable


def to_camel_dict(report: Any) -> dict[str, Any]:  # noqa: ANN401 - any dataclass
    """Return the fields of a dataclass with names in camelCase, as JSON has them."""
    return {to_camel(field.name): getattr(report, field.name) for field in fields(report)}


def metrics_table(rows: Iterable[tuple[str, str]]) -> Table:
    """Return a table with a label and a value in each row."""
    table = Table(show_header=False, box=None, padding=(0, 2))
    table.add_column(style="dim")
    table.add_column(justify="right")
    for label, value in rows:
        table.add_row(label, value)
    return table
