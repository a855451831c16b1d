"""The functions and operators of the language.

The .NET SDK needs the type functions: it resumes an ORDER BY with conditions such as
`( c.n > 5 OR IS_STRING(c.n) OR IS_ARRAY(c.n) OR IS_OBJECT(c.n) )`, with the spelling IS_BOOLEAN.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from local.cosmos.query.values import UNDEFINED, are_equal, compare, is_number, type_rank

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_ARGUMENTS = 100_000
"""The maximum number of arguments of a function."""


def _comparison(test: Callable[[int], bool]) -> Callable[[Any, Any], Any]:
    def comparison(left: Any, right: Any) -> Any:  # noqa: ANN401 - any JSON
        order = compare(left, right)
        return UNDEFINED if order is UNDEFINED else test(order)  # type: ignore[arg-type] # not undefined here

    return comparison


def _not_equal(left: Any, right: Any) -> Any:  # noqa: ANN401 - any JSON
    same = are_equal(left, right)
    return UNDEFINED if same is UNDEFINED else not same


def _numbers(apply: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    def applied(left: Any, right: Any) -> Any:  # noqa: ANN401 - any JSON
        if not is_number(left) or not is_number(right):
            return UNDEFINED
        try:
            return apply(left, right)
        except ZeroDivisionError:
            return UNDEFINED

    return applied


def _remainder(left: float, right: float) -> float:
    """Return the remainder with the sign of the dividend, unlike `%` in Python."""
    remainder = abs(left) % abs(right)
    return -remainder if left < 0 else remainder


def _texts(apply: Callable[[str, str], bool]) -> Callable[..., Any]:
    def applied(text: Any, part: Any, ignore_case: Any = False) -> Any:  # noqa: ANN401, FBT002 - as in the language
        if not isinstance(text, str) or not isinstance(part, str):
            return UNDEFINED
        if ignore_case is True:
            text, part = text.casefold(), part.casefold()
        return apply(text, part)

    return applied


def _text(apply: Callable[[str], Any]) -> Callable[[Any], Any]:
    return lambda value: apply(value) if isinstance(value, str) else UNDEFINED


def _and(*values: object) -> Any:  # noqa: ANN401 - three-valued logic
    if any(value is False for value in values):
        return False
    return True if all(value is True for value in values) else UNDEFINED


def _or(*values: object) -> Any:  # noqa: ANN401 - three-valued logic
    if any(value is True for value in values):
        return True
    return False if all(value is False for value in values) else UNDEFINED


def _in(value: Any, *options: Any) -> Any:  # noqa: ANN401 - any JSON
    if value is UNDEFINED:
        return UNDEFINED
    return any(are_equal(value, option) is True for option in options)


def _between(value: Any, low: Any, high: Any) -> Any:  # noqa: ANN401 - any JSON
    return _and(_at_least(value, low), _at_most(value, high))


def _array_contains(array: Any, value: Any) -> Any:  # noqa: ANN401 - any JSON
    if not isinstance(array, list):
        return UNDEFINED
    return any(are_equal(item, value) is True for item in array)


def _is_kind(example: object) -> Callable[[Any], bool]:
    return lambda value: type_rank(value) == type_rank(example)


_at_least = _comparison(lambda order: order >= 0)
_at_most = _comparison(lambda order: order <= 0)


FUNCTIONS: dict[str, tuple[int, int, Callable[..., Any]]] = {
    "=": (2, 2, are_equal),
    "!=": (2, 2, _not_equal),
    "<": (2, 2, _comparison(lambda order: order < 0)),
    "<=": (2, 2, _at_most),
    ">": (2, 2, _comparison(lambda order: order > 0)),
    ">=": (2, 2, _at_least),
    "+": (2, 2, _numbers(lambda left, right: left + right)),
    "-": (2, 2, _numbers(lambda left, right: left - right)),
    "*": (2, 2, _numbers(lambda left, right: left * right)),
    "/": (2, 2, _numbers(lambda left, right: left / right)),
    "%": (2, 2, _numbers(_remainder)),
    "AND": (2, MAX_ARGUMENTS, _and),
    "OR": (2, MAX_ARGUMENTS, _or),
    "NOT": (1, 1, lambda value: not value if isinstance(value, bool) else UNDEFINED),
    "IN": (2, MAX_ARGUMENTS, _in),
    "BETWEEN": (3, 3, _between),
    "IS_DEFINED": (1, 1, lambda value: value is not UNDEFINED),
    "IS_NULL": (1, 1, _is_kind(None)),
    "IS_BOOL": (1, 1, _is_kind(True)),
    "IS_BOOLEAN": (1, 1, _is_kind(True)),
    "IS_NUMBER": (1, 1, _is_kind(1)),
    "IS_STRING": (1, 1, _is_kind("")),
    "IS_ARRAY": (1, 1, _is_kind([])),
    "IS_OBJECT": (1, 1, _is_kind({})),
    "STARTSWITH": (2, 3, _texts(str.startswith)),
    "ENDSWITH": (2, 3, _texts(str.endswith)),
    "CONTAINS": (2, 3, _texts(lambda text, part: part in text)),
    "LOWER": (1, 1, _text(str.lower)),
    "UPPER": (1, 1, _text(str.upper)),
    "LENGTH": (1, 1, _text(len)),
    "ARRAY_CONTAINS": (2, 2, _array_contains),
}
"""The minimum and maximum number of arguments and the implementation, by name."""
