"""The text of a syntax tree, in the form of the queries that the service rewrites."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from local.cosmos.query.tokens import KEYWORDS
from local.cosmos.query.tree import Array, Call, Expression, Literal, Object, Parameter, Path

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from local.cosmos.query.tree import Select, SelectItem

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_INFIX = frozenset({"AND", "OR", "=", "!=", "<", "<=", ">", ">=", "+", "-", "*", "/", "%"})


def query_text(tree: Select) -> str:
    """Return the text of a query, with one clause per line."""
    return "\n".join(_clauses(tree))


def expression_text(expression: Expression, alias: str) -> str:
    """Return the text of an expression, with the given name for a document."""
    if isinstance(expression, Literal):
        return json.dumps(expression.value, ensure_ascii=False)
    if isinstance(expression, Parameter):
        return expression.name
    if isinstance(expression, Path):
        return alias + "".join(map(_step, expression.steps))
    if isinstance(expression, Array):
        return f"[{_joined(expression.items, alias)}]"
    if isinstance(expression, Object):
        members = (
            f"{json.dumps(name, ensure_ascii=False)}: {expression_text(value, alias)}"
            for name, value in expression.members
        )
        return f"{{{', '.join(members)}}}"
    return _call(expression, alias)


def _clauses(tree: Select) -> Iterator[str]:
    alias = tree.alias
    distinct = "DISTINCT " if tree.distinct else ""
    top = f"TOP {expression_text(tree.top, alias)} " if tree.top else ""
    yield f"SELECT {distinct}{top}{_selected(tree)}"
    if tree.source:
        yield f"FROM {tree.source}" + (f" AS {alias}" if alias != tree.source else "")
    if tree.where is not None:
        yield f"WHERE {expression_text(tree.where, alias)}"
    if tree.order:
        order = (
            f"{expression_text(item.path, alias)} {item.direction}".rstrip() for item in tree.order
        )
        yield f"ORDER BY {', '.join(order)}"
    if tree.offset is not None and tree.limit is not None:
        offset, limit = (expression_text(count, alias) for count in (tree.offset, tree.limit))
        yield f"OFFSET {offset} LIMIT {limit}"


def _selected(tree: Select) -> str:
    if tree.columns is None:
        return "*"
    if tree.value:
        return f"VALUE {expression_text(tree.columns[0].expression, tree.alias)}"
    return ", ".join(_column(column, tree.alias) for column in tree.columns)


def _column(column: SelectItem, alias: str) -> str:
    text = expression_text(column.expression, alias)
    is_named = isinstance(column.expression, Path) and column.expression.steps[-1:] == (
        column.name,
    )
    return text if is_named or column.name.startswith("$") else f"{text} AS {column.name}"


def _call(call: Call, alias: str) -> str:
    arguments = call.arguments
    if call.name in _INFIX:
        return f"({f' {call.name} '.join(expression_text(part, alias) for part in arguments)})"
    if call.name == "NOT":
        return f"(NOT {expression_text(arguments[0], alias)})"
    if call.name == "IN":
        return f"({expression_text(arguments[0], alias)} IN ({_joined(arguments[1:], alias)}))"
    if call.name == "BETWEEN":
        value, low, high = (expression_text(part, alias) for part in arguments)
        return f"({value} BETWEEN {low} AND {high})"
    return f"{call.name}({_joined(arguments, alias)})"


def _joined(expressions: Iterable[Expression], alias: str) -> str:
    return ", ".join(expression_text(expression, alias) for expression in expressions)


def _step(step: str | int) -> str:
    if isinstance(step, int):
        return f"[{step}]"
    is_name = _NAME.fullmatch(step) and step.upper() not in KEYWORDS
    return f".{step}" if is_name else f"[{json.dumps(step, ensure_ascii=False)}]"
