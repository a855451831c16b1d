"""Second stage's result: what the query says, as values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


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


@dataclass(frozen=True)
class Array:
    """`[1, c.a]`."""

    items: tuple[Expression, ...]


@dataclass(frozen=True)
class Object:
    """`{"a": c.a}`."""

    members: tuple[tuple[str, Expression], ...]


Expression = Literal | Parameter | Path | Call | Array | Object


@dataclass(frozen=True)
class Selected:
    """One selected expression and the name that its value gets."""

    name: str
    expression: Expression


@dataclass(frozen=True)
class Ordered:
    """One path of ORDER BY; the direction is ASC, DESC, or empty where the query has none."""

    path: Path
    direction: str = ""

    @property
    def descending(self) -> bool:
        """Whether the highest value is the first."""
        return self.direction == "DESC"


@dataclass(frozen=True, kw_only=True)
class Select:
    """A whole query.

    Attributes:
        columns: What is selected; None for `*`.
        value: The results are the bare values (`SELECT VALUE`).
        source: The container's name in FROM, empty without FROM.
        alias: What the query calls a document.
        where: Condition, None for all.
        top: At most this number of results (`TOP`).
        offset: The number of results to skip.
        limit: At most this number of results after them (`LIMIT`).
    """

    columns: tuple[Selected, ...] | None
    value: bool = False
    distinct: bool = False
    source: str = ""
    alias: str = ""
    where: Expression | None = None
    order: tuple[Ordered, ...] = ()
    top: Expression | None = None
    offset: Expression | None = None
    limit: Expression | None = None


def parts(expression: Expression) -> tuple[Expression, ...]:
    """Return the expressions that an expression is directly made of."""
    if isinstance(expression, Call):
        return expression.arguments
    if isinstance(expression, Array):
        return expression.items
    if isinstance(expression, Object):
        return tuple(value for _, value in expression.members)
    return ()


def calls(expression: Expression, names: frozenset[str]) -> Iterator[Call]:
    """Yield the calls of certain functions in an expression, the outermost ones only."""
    if isinstance(expression, Call) and expression.name in names:
        yield expression
        return
    for part in parts(expression):
        yield from calls(part, names)
