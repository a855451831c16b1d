"""The syntax tree of a query, which is the result of the second stage."""

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
    """A parameter such as `@name`."""

    name: str


@dataclass(frozen=True)
class Path:
    """The path of a property such as `c.a["b"][0]`, without the `c`."""

    steps: tuple[str | int, ...]


@dataclass(frozen=True)
class Call:
    """A function or operator with its arguments."""

    name: str
    arguments: tuple[Expression, ...]


@dataclass(frozen=True)
class Array:
    """An array such as `[1, c.a]`."""

    items: tuple[Expression, ...]


@dataclass(frozen=True)
class Object:
    """An object such as `{"a": c.a}`."""

    members: tuple[tuple[str, Expression], ...]


Expression = Literal | Parameter | Path | Call | Array | Object


@dataclass(frozen=True)
class SelectItem:
    """A selected expression and the name of its value."""

    name: str
    expression: Expression


@dataclass(frozen=True)
class OrderByItem:
    """A path of ORDER BY; the direction is ASC, DESC, or empty if the query has none."""

    path: Path
    direction: str = ""

    @property
    def descending(self) -> bool:
        """Whether the highest value is first."""
        return self.direction == "DESC"


@dataclass(frozen=True, kw_only=True)
class Select:
    """A query.

    Attributes:
        columns: The selected expressions, None for `*`.
        value: Whether the results are the bare values (`SELECT VALUE`).
        distinct: Whether equal results are one result (`DISTINCT`).
        source: The name of the container in FROM, empty without FROM.
        alias: The name of a document in the query.
        where: The condition, None for none.
        order: The paths of ORDER BY.
        top: The maximum number of results (`TOP`).
        offset: The number of results to skip (`OFFSET`).
        limit: The maximum number of results after these (`LIMIT`).
    """

    columns: tuple[SelectItem, ...] | None
    value: bool = False
    distinct: bool = False
    source: str = ""
    alias: str = ""
    where: Expression | None = None
    order: tuple[OrderByItem, ...] = ()
    top: Expression | None = None
    offset: Expression | None = None
    limit: Expression | None = None


def parts(expression: Expression) -> tuple[Expression, ...]:
    """Return the direct parts of an expression."""
    if isinstance(expression, Call):
        return expression.arguments
    if isinstance(expression, Array):
        return expression.items
    if isinstance(expression, Object):
        return tuple(value for _, value in expression.members)
    return ()


def calls(expression: Expression, names: frozenset[str]) -> Iterator[Call]:
    """Yield the outermost calls of the named functions in an expression."""
    if isinstance(expression, Call) and expression.name in names:
        yield expression
        return
    for part in parts(expression):
        yield from calls(part, names)
