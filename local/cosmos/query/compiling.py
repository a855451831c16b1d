"""The third stage: expressions to closures, which do not raise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from local.cosmos.query.aggregates import AGGREGATES, Aggregate
from local.cosmos.query.errors import QueryError, UnsupportedQueryError
from local.cosmos.query.functions import FUNCTIONS
from local.cosmos.query.tree import Array, Call, Expression, Literal, Object, Parameter, Path, parts
from local.cosmos.query.values import UNDEFINED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    Compute = Callable[[Any], Any]

_MAX_COUNT = 2**31 - 1


def validate(expression: Expression, *, aggregated: bool = False) -> None:
    """Check that all functions are supported and have valid numbers of arguments.

    Args:
        expression: The expression.
        aggregated: Whether the expression must consist of aggregates and constants.

    Raises:
        QueryError: If a function has a wrong number of arguments.
        UnsupportedQueryError: If a function is not supported.
    """
    if aggregated and isinstance(expression, Path):
        raise UnsupportedQueryError("Aggregates beside other expressions")
    if isinstance(expression, Call):
        minimum, maximum = _arity(expression.name, aggregated=aggregated)
        if not minimum <= len(expression.arguments) <= maximum:
            raise QueryError(
                f"{expression.name} does not take {len(expression.arguments)} arguments."
            )
        aggregated &= expression.name not in AGGREGATES
    for part in parts(expression):
        validate(part, aggregated=aggregated)


def _arity(name: str, *, aggregated: bool) -> tuple[int, int]:
    if aggregated and name in AGGREGATES:
        return 1, 1
    if name not in FUNCTIONS:
        raise UnsupportedQueryError(f"Function {name}")
    minimum, maximum, _ = FUNCTIONS[name]
    return minimum, maximum


class Compiler:
    """Compiles expressions for one run, with its parameters as constants."""

    def __init__(self, parameters: Mapping[str, Any]) -> None:
        self._parameters = parameters
        self._aggregates: dict[int, Any] = {}

    def aggregate(self, calls: Iterable[Call], documents: Iterable[Any]) -> None:
        """Compute aggregates of documents, for expressions that are compiled later."""
        aggregates = [(call, Aggregate(call.name, self.compile(*call.arguments))) for call in calls]
        for document in documents:
            for _, aggregate in aggregates:
                aggregate.add(document)
        self._aggregates = {id(call): aggregate.result for call, aggregate in aggregates}

    def compile(self, expression: Expression) -> Compute:
        """Return a function that computes an expression from a document.

        Raises:
            QueryError: If a parameter has no value.
        """
        if isinstance(expression, Path):
            return _follow(expression.steps)
        if isinstance(expression, Call):
            return self._call(expression)
        if isinstance(expression, (Array, Object)):
            return self._literal(expression)
        value = self.constant(expression)
        return lambda _: value

    def constant(self, expression: Literal | Parameter) -> Any:  # noqa: ANN401 - any JSON
        """Return the value of a literal or parameter.

        Raises:
            QueryError: If it is a parameter without a value.
        """
        if isinstance(expression, Literal):
            return expression.value
        if expression.name not in self._parameters:
            raise QueryError(f"Parameter {expression.name} has no value.")
        return self._parameters[expression.name]

    def count(self, expression: Expression) -> int:
        """Return the number of TOP, OFFSET or LIMIT.

        Raises:
            QueryError: If the value is not a whole number.
        """
        value = self.compile(expression)({})
        if type(value) is not int or not 0 <= value <= _MAX_COUNT:
            raise QueryError(
                f"TOP, OFFSET and LIMIT take a whole number up to {_MAX_COUNT}, got {value!r:.50}."
            )
        return value

    def _call(self, call: Call) -> Compute:
        if call.name in AGGREGATES:
            result = self._aggregates[id(call)]
            return lambda _: result
        apply = FUNCTIONS[call.name][2]
        computed = [self.compile(argument) for argument in call.arguments]
        if len(computed) == 2:  # noqa: PLR2004 - the fast path for operators
            first, second = computed
            return lambda document: apply(first(document), second(document))
        return lambda document: apply(*[compute(document) for compute in computed])

    def _literal(self, literal: Array | Object) -> Compute:
        """Compile an array or object, which omits undefined parts."""
        if isinstance(literal, Object):
            members = [(name, self.compile(value)) for name, value in literal.members]
            return lambda document: dict(_defined(members, document))
        items = [("", self.compile(item)) for item in literal.items]
        return lambda document: [value for _, value in _defined(items, document)]


def _defined(
    computed: Iterable[tuple[str, Compute]], document: object
) -> Iterator[tuple[str, Any]]:
    for name, compute in computed:
        value = compute(document)
        if value is not UNDEFINED:
            yield name, value


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
