"""Second stage: tokens to tree, by recursive descent."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from local.cosmos.query.errors import QuerySyntaxError, UnsupportedQueryError
from local.cosmos.query.tokens import Token, tokens
from local.cosmos.query.tree import Call, Expression, Literal, Parameter, Path, Select, Selected

if TYPE_CHECKING:
    from collections.abc import Callable

_COMPARISONS = frozenset({"=", "!=", "<>", "<", "<=", ">", ">="})
_CONSTANTS = {"TRUE": True, "FALSE": False, "NULL": None}


def parse_tree(text: str) -> Select:
    """The tree of a query.

    Raises:
        QuerySyntaxError: The text is no query.
        UnsupportedQueryError: It uses what is not covered.
    """
    return _Parser(text).query()


class _Parser:
    def __init__(self, text: str) -> None:
        self._tokens = list(tokens(text))
        self._at = 0
        self._alias = _alias(self._tokens)

    def query(self) -> Select:
        self._expect("SELECT")
        distinct = self._take("DISTINCT")
        limit = self._primary() if self._take("TOP") else None
        value = self._take("VALUE")
        columns = self._columns(value=value)
        self._from()
        where = self._or() if self._take("WHERE") else None
        if self._take("GROUP"):
            raise UnsupportedQueryError("GROUP BY")
        order = self._order() if self._take("ORDER") else ()
        offset = None
        if self._take("OFFSET"):
            offset = self._primary()
            self._expect("LIMIT")
            limit = self._primary()
        if self._now.kind != "end":
            self._fail()
        return Select(
            columns=columns,
            value=value,
            distinct=distinct,
            where=where,
            order=order,
            offset=offset,
            limit=limit,
        )

    def _columns(self, *, value: bool) -> tuple[Selected, ...] | None:
        if self._take("*"):
            return None
        columns = [self._column(0)]
        while not value and self._take(","):
            columns.append(self._column(len(columns)))
        return tuple(columns)

    def _column(self, nth: int) -> Selected:
        expression = self._or()
        if self._take("AS"):
            return Selected(self._name(), expression)
        if self._now.kind == "name":
            return Selected(self._name(), expression)
        if isinstance(expression, Path) and expression.steps:
            return Selected(str(expression.steps[-1]), expression)
        return Selected(f"${nth + 1}", expression)

    def _from(self) -> None:
        if not self._take("FROM"):
            return
        self._name()
        if self._now.value in {".", "IN"}:
            raise UnsupportedQueryError("FROM over a part of the document")
        if self._take("AS") or self._now.kind == "name":
            self._name()
        if self._now.value in {"JOIN", ","}:
            raise UnsupportedQueryError("JOIN")

    def _order(self) -> tuple[tuple[Expression, bool], ...]:
        self._expect("BY")
        order = [self._ordered()]
        while self._take(","):
            order.append(self._ordered())
        return tuple(order)

    def _ordered(self) -> tuple[Expression, bool]:
        expression = self._or()
        descending = self._take("DESC")
        if not descending:
            self._take("ASC")
        return expression, descending

    def _or(self) -> Expression:
        return self._chain("OR", self._and)

    def _and(self) -> Expression:
        return self._chain("AND", self._not)

    def _chain(self, operator: str, part: Callable[[], Expression]) -> Expression:
        """Parts joined by one operator, side by side: a long chain must not be a deep tree."""
        parts = [part()]
        while self._take(operator):
            parts.append(part())
        return parts[0] if len(parts) == 1 else Call(operator, tuple(parts))

    def _not(self) -> Expression:
        if self._take("NOT"):
            return Call("NOT", (self._not(),))
        return self._comparison()

    def _comparison(self) -> Expression:
        left = self._sum()
        if self._now.value in _COMPARISONS and self._now.kind == "symbol":
            return Call(self._next().value.replace("<>", "!="), (left, self._sum()))
        if self._take("BETWEEN"):
            low = self._sum()
            self._expect("AND")
            high = self._sum()
            return Call("AND", (Call(">=", (left, low)), Call("<=", (left, high))))
        negated = self._now.value == "NOT"
        if negated:
            self._next()
        if self._take("IN"):
            found = Call("IN", (left, *self._arguments()))
            return Call("NOT", (found,)) if negated else found
        if self._now.value == "LIKE":
            raise UnsupportedQueryError("LIKE")
        if negated:
            self._fail()
        return left

    def _sum(self) -> Expression:
        left = self._product()
        while self._now.value in {"+", "-"} and self._now.kind == "symbol":
            left = Call(self._next().value, (left, self._product()))
        return left

    def _product(self) -> Expression:
        left = self._unary()
        while self._now.value in {"*", "/", "%"} and self._now.kind == "symbol":
            left = Call(self._next().value, (left, self._unary()))
        return left

    def _unary(self) -> Expression:
        if self._take("-"):
            return Call("-", (Literal(0), self._unary()))
        return self._primary()

    def _primary(self) -> Expression:
        token = self._next()
        if token.kind == "parameter":
            return Parameter(token.value)
        if token.kind == "name":
            return self._named(token)
        if token.value == "(" and token.kind == "symbol":
            return self._inside()
        return self._literal(token)

    def _inside(self) -> Expression:
        if self._now.value == "SELECT":
            raise UnsupportedQueryError("A subquery")
        inside = self._or()
        self._expect(")")
        return inside

    def _literal(self, token: Token) -> Expression:
        if token.kind == "number":
            return Literal(_number(token.value))
        if token.kind == "text":
            return Literal(token.value)
        if token.kind == "keyword" and token.value in _CONSTANTS:
            return Literal(_CONSTANTS[token.value])
        return self._unsupported(token)

    def _named(self, token: Token) -> Expression:
        if self._now.value == "(":
            return Call(token.value.upper(), self._arguments())
        if self._now.value == "." and token.value.lower() == "udf":
            raise UnsupportedQueryError("A user-defined function")
        if token.value != self._alias:
            raise QuerySyntaxError(
                f"Identifier {token.value!r} could not be resolved at position {token.position}."
            )
        return self._path()

    def _path(self) -> Path:
        steps: list[str | int] = []
        while True:
            if self._take("."):
                steps.append(self._name())
            elif self._take("["):
                token = self._next()
                if token.kind not in {"text", "number"}:
                    raise UnsupportedQueryError("A computed property name")
                steps.append(int(token.value) if token.kind == "number" else token.value)
                self._expect("]")
            else:
                return Path(tuple(steps))

    def _arguments(self) -> tuple[Expression, ...]:
        self._expect("(")
        if self._take(")"):
            return ()
        arguments = [self._argument()]
        while self._take(","):
            arguments.append(self._argument())
        self._expect(")")
        return tuple(arguments)

    def _argument(self) -> Expression:
        if self._now.value == "SELECT":
            raise UnsupportedQueryError("A subquery")
        return self._or()

    def _unsupported(self, token: Token) -> NoReturn:
        if token.value in {"EXISTS", "UNDEFINED", "{", "["}:
            raise UnsupportedQueryError(token.value)
        self._at -= 1
        self._fail()

    @property
    def _now(self) -> Token:
        return self._tokens[self._at]

    def _next(self) -> Token:
        token = self._now
        if token.kind == "end":
            self._fail()
        self._at += 1
        return token

    def _take(self, value: str) -> bool:
        if self._now.kind in {"keyword", "symbol"} and self._now.value == value:
            self._at += 1
            return True
        return False

    def _expect(self, value: str) -> None:
        if not self._take(value):
            self._fail(f", expected {value}")

    def _name(self) -> str:
        if self._now.kind not in {"name", "keyword"}:
            self._fail(", expected a name")
        return self._next().value

    def _fail(self, expected: str = "") -> NoReturn:
        raise QuerySyntaxError(
            f"Syntax error near {self._now.value!r} at position {self._now.position}{expected}."
        )


def _number(text: str) -> float:
    return int(text) if text.isdigit() else float(text)


def _alias(found: list[Token]) -> str:
    """What the query calls the document: `FROM c`, `FROM root r`, `FROM root AS r`."""
    names = [each for each in found if each.value != "AS"]
    for nth, token in enumerate(names):
        if token.kind == "keyword" and token.value == "FROM":
            after = [each for each in names[nth + 1 : nth + 3] if each.kind == "name"]
            return after[-1].value if after else "c"
    return "c"
