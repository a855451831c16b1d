"""How Cosmos DB compares values: by type first; undefined is no value at all."""

from __future__ import annotations

from typing import Any


class Undefined:
    """The value of a property that is not there, and of what cannot be computed."""

    __slots__ = ()


UNDEFINED = Undefined()

_KINDS: dict[type, int] = {bool: 2, int: 3, float: 3, str: 4, list: 5, dict: 6}


def kind(value: object) -> int:
    """A number for the value's type, in the order in which ORDER BY sorts types."""
    if value is UNDEFINED:
        return 0
    return 1 if value is None else _KINDS[type(value)]


def equal(left: object, right: object) -> bool | Undefined:
    """Whether two values are the same; undefined unless both are of one type."""
    if left is UNDEFINED or right is UNDEFINED:
        return UNDEFINED
    if kind(left) != kind(right):  # two types are comparable only if one is null
        return False if left is None or right is None else UNDEFINED
    return left == right


def ordered(left: Any, right: Any) -> int | Undefined:  # noqa: ANN401 - any JSON
    """-1, 0 or 1; undefined unless both are comparable values of one type."""
    if kind(left) != kind(right) or kind(left) in {0, 5, 6}:
        return UNDEFINED
    if left is None:
        return 0
    return int(left > right) - int(left < right)


def sort_key(value: Any) -> tuple[int, Any]:  # noqa: ANN401 - any JSON
    """Sorts values of mixed types as ORDER BY does: undefined, null, booleans, numbers, text."""
    return kind(value), 0 if kind(value) in {0, 1, 5, 6} else value
