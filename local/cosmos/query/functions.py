"""The functions and operators of the language; each takes values and returns one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from local.cosmos.query.values import UNDEFINED, equal, kind, ordered

if TYPE_CHECKING:
    from collections.abc import Callable

MOST = 100_000
"""Arguments that a function takes at most."""

AGGREGATES = frozenset({"COUNT", "SUM", "MIN", "MAX", "AVG"})


def _compare(test: Callable[[int], bool]) -> Callable[[Any, Any], Any]:
    def compared(left: Any, right: Any) -> Any:  # noqa: ANN401 - any JSON
        order = ordered(left, right)
        return UNDEFINED if order is UNDEFINED else test(order)  # type: ignore[arg-type] # not undefined here

    return compared


def _not_equal(left: Any, right: Any) -> Any:  # noqa: ANN401 - any JSON
    same = equal(left, right)
    return UNDEFINED if same is UNDEFINED else not same


def _numbers(apply: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    def applied(left: Any, right: Any) -> Any:  # noqa: ANN401 - any JSON
        if kind(left) != kind(1) or kind(right) != kind(1):
            return UNDEFINED
        try:
            return apply(left, right)
        except ZeroDivisionError:
            return UNDEFINED

    return applied


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
    return UNDEFINED if value is UNDEFINED else any(equal(value, each) is True for each in options)


def _array_contains(array: Any, value: Any) -> Any:  # noqa: ANN401 - any JSON
    if not isinstance(array, list):
        return UNDEFINED
    return any(equal(each, value) is True for each in array)


FUNCTIONS: dict[str, tuple[int, int, Callable[..., Any]]] = {
    "=": (2, 2, equal),
    "!=": (2, 2, _not_equal),
    "<": (2, 2, _compare(lambda order: order < 0)),
    "<=": (2, 2, _compare(lambda order: order <= 0)),
    ">": (2, 2, _compare(lambda order: order > 0)),
    ">=": (2, 2, _compare(lambda order: order >= 0)),
    "+": (2, 2, _numbers(lambda left, right: left + right)),
    "-": (2, 2, _numbers(lambda left, right: left - right)),
    "*": (2, 2, _numbers(lambda left, right: left * right)),
    "/": (2, 2, _numbers(lambda left, right: left / right)),
    "%": (2, 2, _numbers(lambda left, right: left % right)),
    "AND": (2, MOST, _and),
    "OR": (2, MOST, _or),
    "NOT": (1, 1, lambda value: not value if isinstance(value, bool) else UNDEFINED),
    "IN": (2, MOST, _in),
    "IS_DEFINED": (1, 1, lambda value: value is not UNDEFINED),
    "IS_NULL": (1, 1, lambda value: value is None),
    "IS_STRING": (1, 1, lambda value: isinstance(value, str)),
    "STARTSWITH": (2, 3, _texts(str.startswith)),
    "ENDSWITH": (2, 3, _texts(str.endswith)),
    "CONTAINS": (2, 3, _texts(lambda text, part: part in text)),
    "LOWER": (1, 1, _text(str.lower)),
    "UPPER": (1, 1, _text(str.upper)),
    "LENGTH": (1, 1, _text(len)),
    "ARRAY_CONTAINS": (2, 2, _array_contains),
}
"""By name: fewest and most arguments, and what computes it."""
