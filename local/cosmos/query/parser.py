"""The second stage, for the clauses of a query: tokens to a tree."""

from __future__ import annotations

from typing import TYPE_CHECKING

from local.cosmos.query.errors import QueryError, UnsupportedQueryError
from local.cosmos.query.expressions import ExpressionParser
from local.cosmos.query.tree import Expression, OrderByItem, Path, Select, SelectItem

if TYPE_CHECKING:
    from collections.abc import Sequence


def parse_tree(text: str) -> Select:
    """Return the syntax tree of a query.

    Raises:
        QuerySyntaxError: If the text is not a query.
        QueryError: If the query contradicts itself.
        UnsupportedQueryError: If a part is not supported.
    """
    return _Parser(text).query()


class _Parser(ExpressionParser):
    def query(self) -> Select:
        self._expect("SELECT")
        distinct = self._take("DISTINCT")
        top = self._count() if self._take("TOP") else None
        value = self._take("VALUE")
        columns = self._columns(value=value)
        source = self._from()
        where = self._or() if self._take("WHERE") else None
        if self._take("GROUP"):
            raise UnsupportedQueryError("GROUP BY")
        order = self._order() if self._take("ORDER") else ()
        offset, limit = self._window(top)
        if self._now.kind != "end":
            self._fail()
        if columns is None and not source:
            raise QueryError("SELECT * needs a FROM.")
        return Select(
            columns=columns,
            value=value,
            distinct=distinct,
            source=source,
            alias=self._alias,
            where=where,
            order=order,
            top=top,
            offset=offset,
            limit=limit,
        )

    def _columns(self, *, value: bool) -> tuple[SelectItem, ...] | None:
        if self._take("*"):
            return None
        columns = [self._column(())]
        while not value and self._take(","):
            columns.append(self._column(columns))
        return tuple(columns)

    def _column(self, before: Sequence[SelectItem]) -> SelectItem:
        expression = self._or()
        if self._take("AS") or self._now.kind == "name":
            name = self._name()
        else:
            name = self._default_name(expression, before)
        if any(column.name == name for column in before):
            raise QueryError(f"Two selected values are named {name!r}: add AS and another name.")
        return SelectItem(name, expression)

    def _default_name(self, expression: Expression, before: Sequence[SelectItem]) -> str:
        if isinstance(expression, Path) and not expression.steps:
            return self._alias
        if isinstance(expression, Path) and isinstance(expression.steps[-1], str):
            return expression.steps[-1]
        return f"${1 + sum(column.name.startswith('$') for column in before)}"

    def _from(self) -> str:
        if not self._take("FROM"):
            return ""
        source = self._name()
        if self._now.value in {".", "[", "IN"}:
            raise UnsupportedQueryError("FROM over a part of the document")
        if self._take("AS") or self._now.kind == "name":
            self._name()
        if self._now.value in {"JOIN", ","}:
            raise UnsupportedQueryError("JOIN")
        return source

    def _order(self) -> tuple[OrderByItem, ...]:
        self._expect("BY")
        order = [self._order_by_item()]
        while self._take(","):
            order.append(self._order_by_item())
        return tuple(order)

    def _order_by_item(self) -> OrderByItem:
        if self._now.value.upper() == "RANK" != self._alias.upper():
            raise UnsupportedQueryError("ORDER BY RANK")
        path = self._or()
        if not isinstance(path, Path) or not path.steps:
            raise QueryError(
                "Unsupported ORDER BY clause: an ORDER BY item must be a path to a member."
            )
        return OrderByItem(path, next((word for word in ("ASC", "DESC") if self._take(word)), ""))

    def _window(self, top: Expression | None) -> tuple[Expression | None, Expression | None]:
        if not self._take("OFFSET"):
            return None, None
        if top is not None:
            raise QueryError("A query has TOP or OFFSET LIMIT, not both.")
        offset = self._count()
        self._expect("LIMIT")
        return offset, self._count()

    def _count(self) -> Expression:
        if self._now.kind not in {"number", "parameter"}:
            self._fail(", expected a number or a parameter")
        return self._primary()
