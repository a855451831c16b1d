"""The second stage, for expressions: tokens to a tree, by recursive descent."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from local.cosmos.query.errors import QuerySyntaxError, UnsupportedQueryError
from local.cosmos.query.tokens import Token, tokens
from local.cosmos.query.tree import Array, Call, Expression, Literal, Object, Parameter, Path

if TYPE_CHECKING:
    from collections.abc import Callable

_COMPARISONS = frozenset({"=", "!=", "<>", "<", "<=", ">", ">="})
_UNSUPPORTED_OPERATORS = frozenset("?|&^~")
_CONSTANTS = {"TRUE": True, "FALSE": False, "NULL": None}


class ExpressionParser:
    """The tokens of a query, and the grammar of its expressions."""

    def __init__(self, text: str) -> None:
        self._tokens = list(tokens(text))
        self._at = 0
        self._alias = _alias(self._tokens)

    def _or(self) -> Expression:
        return self._chain("OR", self._and)

    def _and(self) -> Expression:
        return self._chain("AND", self._not)

    def _chain(self, operator: str, part: Callable[[], Expression]) -> Expression:
        """Parse parts joined by an operator into one call: a long chain is not a deep tree."""
        joined = [part()]
        while self._take(operator):
            joined.append(part())
        return joined[0] if len(joined) == 1 else Call(operator, tuple(joined))

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
            return Call("BETWEEN", (left, low, self._sum()))
        negated = self._take("NOT")
        if self._take("IN"):
            contained = Call("IN", (left, *self._listed("(", ")")))
            return Call("NOT", (contained,)) if negated else contained
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
        if not self._take("-"):
            return self._primary()
        operand = self._unary()
        if isinstance(operand, Literal) and type(operand.value) in {int, float}:
            return Literal(-operand.value)
        return Call("-", (Literal(0), operand))

    def _primary(self) -> Expression:
        token = self._next()
        if token.kind == "parameter":
            return Parameter(token.value)
        if token.kind == "name":
            return self._named(token)
        if token.kind == "symbol" and token.value in {"(", "[", "{"}:
            return self._enclosed(token.value)
        return self._literal(token)

    def _enclosed(self, bracket: str) -> Expression:
        if bracket == "[":
            self._at -= 1
            return Array(self._listed("[", "]"))
        if bracket == "{":
            return self._object()
        inside = self._argument()
        self._expect(")")
        return inside

    def _object(self) -> Object:
        members: list[tuple[str, Expression]] = []
        while not self._take("}"):
            if members:
                self._expect(",")
            name = self._next()
            if name.kind not in {"text", "name"}:
                self._fail(", expected the name of a member")
            self._expect(":")
            members.append((name.value, self._or()))
        return Object(tuple(members))

    def _literal(self, token: Token) -> Expression:
        if token.kind == "number":
            return Literal(int(token.value) if token.value.isdigit() else float(token.value))
        if token.kind == "text":
            return Literal(token.value)
        if token.kind == "keyword" and token.value in _CONSTANTS:
            return Literal(_CONSTANTS[token.value])
        if token.value in {"EXISTS", "UNDEFINED"}:
            raise UnsupportedQueryError(token.value)
        self._at -= 1
        return self._fail()

    def _named(self, token: Token) -> Expression:
        if self._now.value == "(":
            return Call(token.value.upper(), self._listed("(", ")"))
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

    def _listed(self, opening: str, closing: str) -> tuple[Expression, ...]:
        self._expect(opening)
        listed: list[Expression] = []
        while not self._take(closing):
            if listed:
                self._expect(",")
            listed.append(self._argument())
        return tuple(listed)

    def _argument(self) -> Expression:
        if self._now.kind == "keyword" and self._now.value == "SELECT":
            raise UnsupportedQueryError("A subquery")
        return self._or()

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
        """Parse the name of a member or an alias, which may be spelled like a keyword."""
        if self._now.kind not in {"name", "keyword"}:
            self._fail(", expected a name")
        return self._next().source

    def _fail(self, expected: str = "") -> NoReturn:
        if self._now.kind == "symbol" and self._now.value in _UNSUPPORTED_OPERATORS:
            raise UnsupportedQueryError(f"The operator {self._now.value}")
        raise QuerySyntaxError(
            f"Syntax error near {self._now.value!r} at position {self._now.position}{expected}."
        )


def _alias(query_tokens: list[Token]) -> str:
    """Return the name of a document in the query: `FROM c`, `FROM root r`, `FROM root AS r`."""
    names = [token for token in query_tokens if token.value != "AS"]
    for nth, token in enumerate(names):
        if token.kind == "keyword" and token.value == "FROM":
            after = [token for token in names[nth + 1 : nth + 3] if token.kind == "name"]
            return after[-1].value if after else ""
    return ""
