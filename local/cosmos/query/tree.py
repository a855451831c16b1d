"""Second stage's result: what the query says, as values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Literal:
    """A constant."""

    value: Any


@dataclass(frozen=True)
class Parameter:
    """`@name`."""

    name: str


@dataclass(frozen=True)
class Path:
    """`c.a["b"][0]`, without the `c`."""

    steps: tuple[str | int, ...]


@dataclass(frozen=True)
class Call:
    """A function or an operator, with what it is applied to."""

    name: str
    arguments: tuple[Expression, ...]


Expression = Literal | Parameter | Path | Call


@dataclass(frozen=True)
class Selected:
    """One selected expression and the name that its value gets."""

    name: str
    expression: Expression


@dataclass(frozen=True, kw_only=True)
class Select:
    """A whole query.

    Attributes:
        columns: What is selected; None for `*`.
        value: The results are the bare values (`SELECT VALUE`).
        where: Condition, None for all.
        order: Expressions and whether they descend.
        limit: At most so many results (`TOP`, or `LIMIT`).
    """

    columns: tuple[Selected, ...] | None
    value: bool = False
    distinct: bool = False
    where: Expression | None = None
    order: tuple[tuple[Expression, bool], ...] = ()
    offset: Expression | None = None
    limit: Expression | None = None
