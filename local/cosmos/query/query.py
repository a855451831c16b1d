"""Third and fourth stage: a validated query, compiled to closures that cannot fail."""

from __future__ import annotations

import json
from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING, Any

from local.cosmos.query.errors import QueryError, UnsupportedQueryError
from local.cosmos.query.functions import AGGREGATES, FUNCTIONS
from local.cosmos.query.parser import parse_tree
from local.cosmos.query.tree import Call, Expression, Literal, Parameter, Path
from local.cosmos.query.values import UNDEFINED, sort_key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from local.cosmos.query.tree import Select

    Document = dict[str, Any]
    Compute = Callable[[Document], Any]


class Query:
    """A query that can be run.

    Raises:
        UnsupportedQueryError: It uses a function that is not covered.
    """

    def __init__(self, tree: Select) -> None:
        self._tree = tree
        self.aggregate = self._find_aggregate()
        for expression in self._expressions():
            _validate(expression)

    @property
    def streams(self) -> bool:
        """Whether results come document by document, so that a page can end anywhere."""
        tree = self._tree
        bounded = tree.distinct or tree.offset is not None or tree.limit is not None
        return not (tree.order or self.aggregate or bounded)

    @property
    def selects_all(self) -> bool:
        """Whether the results are simply all documents as they are."""
        tree = self._tree
        return self.streams and tree.columns is None and tree.where is None

    def run(self, documents: Iterable[Document], parameters: Mapping[str, Any]) -> Iterator[Any]:
        """The results, in order; lazily where the query allows it.

        Raises:
            QueryError: A parameter is missing, or TOP, OFFSET or LIMIT is no number.
        """
        bind = _Binder(parameters)
        tree = self._tree
        if tree.where is not None:
            holds = bind.compile(tree.where)
            documents = (each for each in documents if holds(each) is True)
        for expression, descending in reversed(tree.order):
            value = bind.compile(expression)
            documents = sorted(
                documents, key=lambda each: sort_key(value(each)), reverse=descending
            )
        if self.aggregate:
            return iter(self._aggregated(list(documents), bind))
        results = self._selected(documents, bind)
        if tree.distinct:
            results = _distinct(results)
        start = bind.count(tree.offset) if tree.offset is not None else 0
        end = start + bind.count(tree.limit) if tree.limit is not None else None
        return islice(results, start, end)

    def _selected(self, documents: Iterable[Document], bind: _Binder) -> Iterator[Any]:
        columns = self._tree.columns
        if columns is None:
            yield from documents
            return
        compiled = [(column.name, bind.compile(column.expression)) for column in columns]
        for document in documents:
            values = {name: compute(document) for name, compute in compiled}
            present = {name: value for name, value in values.items() if value is not UNDEFINED}
            if not self._tree.value:
                yield present
            elif present:
                yield from present.values()

    def _aggregated(self, documents: list[Document], bind: _Binder) -> list[Any]:
        results = {}
        for column in self._tree.columns or ():
            call = column.expression
            if not isinstance(call, Call):
                raise UnsupportedQueryError("Aggregates beside other expressions")
            compute = bind.compile(call.arguments[0])
            values = [value for value in map(compute, documents) if value is not UNDEFINED]
            results[column.name] = _aggregate(call.name, values)
        if not self._tree.value:
            return [{name: each for name, each in results.items() if each is not UNDEFINED}]
        return [each for each in results.values() if each is not UNDEFINED]

    def _find_aggregate(self) -> bool:
        columns = self._tree.columns or ()
        found = [_is_aggregate(column.expression) for column in columns]
        if any(found) and not all(found):
            raise UnsupportedQueryError("Aggregates beside other expressions")
        return any(found)

    def _expressions(self) -> Iterator[Expression]:
        tree = self._tree
        for column in tree.columns or ():
            if self.aggregate and isinstance(column.expression, Call):
                if len(column.expression.arguments) != 1:
                    raise QueryError(f"{column.expression.name} takes one argument.")
                yield from column.expression.arguments
            else:
                yield column.expression
        if tree.where is not None:
            yield tree.where
        yield from (expression for expression, _ in tree.order)


@lru_cache(maxsize=256)
def parse(text: str) -> Query:
    """The query of a text, ready to be run.

    Raises:
        QuerySyntaxError: The text is no query; says where.
        UnsupportedQueryError: It uses what is not covered; names the part.
    """
    return Query(parse_tree(text))


class _Binder:
    """Compiles expressions for one run, with the run's parameters as constants."""

    def __init__(self, parameters: Mapping[str, Any]) -> None:
        self._parameters = parameters

    def compile(self, expression: Expression) -> Compute:
        if isinstance(expression, Path):
            return _follow(expression.steps)
        if isinstance(expression, Call):
            return self._call(expression)
        value = self._constant(expression)
        return lambda _: value

    def count(self, expression: Expression) -> int:
        value = self.compile(expression)({})
        if not isinstance(value, int) or value < 0:
            raise QueryError("TOP, OFFSET and LIMIT take a whole number.")
        return value

    def _constant(self, expression: Literal | Parameter) -> Any:  # noqa: ANN401 - any JSON
        if isinstance(expression, Literal):
            return expression.value
        if expression.name not in self._parameters:
            raise QueryError(f"Parameter {expression.name} has no value.")
        return self._parameters[expression.name]

    def _call(self, call: Call) -> Compute:
        apply = FUNCTIONS[call.name][2]
        computed = [self.compile(argument) for argument in call.arguments]
        if len(computed) == 2:  # noqa: PLR2004 - the usual case, made fast
            first, second = computed
            return lambda document: apply(first(document), second(document))
        return lambda document: apply(*[each(document) for each in computed])


def _follow(steps: tuple[str | int, ...]) -> Compute:
    def value(document: Any) -> Any:  # noqa: ANN401 - any JSON
        for step in steps:
            if isinstance(document, dict):
                document = document.get(step, UNDEFINED)
            elif isinstance(document, list) and isinstance(step, int) and step < len(document):
                document = document[step]
            else:
                return UNDEFINED
        return document

    return value


def _validate(expression: Expression) -> None:
    if not isinstance(expression, Call):
        return
    if expression.name not in FUNCTIONS:
        raise UnsupportedQueryError(f"Function {expression.name}")
    fewest, most, _ = FUNCTIONS[expression.name]
    if not fewest <= len(expression.arguments) <= most:
        raise QueryError(f"{expression.name} does not take {len(expression.arguments)} arguments.")
    for argument in expression.arguments:
        _validate(argument)


def _is_aggregate(expression: Expression) -> bool:
    return isinstance(expression, Call) and expression.name in AGGREGATES


def _aggregate(name: str, values: list[Any]) -> Any:  # noqa: ANN401 - any JSON
    if name == "COUNT":
        return len(values)
    if name in {"MIN", "MAX"}:
        choose = min if name == "MIN" else max
        return choose(values, key=sort_key) if values else UNDEFINED
    if not all(isinstance(value, (int, float)) for value in values):
        return UNDEFINED
    if name == "SUM":
        return sum(values)
    return sum(values) / len(values) if values else UNDEFINED


def _distinct(results: Iterator[Any]) -> Iterator[Any]:
    seen = set()
    for result in results:
        text = json.dumps(result, sort_keys=True)
        if text not in seen:
            seen.add(text)
            yield result
