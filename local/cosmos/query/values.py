"""How Cosmos DB compares values: by type first; undefined is no value at all."""

from __future__ import annotations

import json
from typing import Any, TypeGuard


class Undefined:
    """The value of a property that is not there, and of what cannot be computed."""

    __slots__ = ()


UNDEFINED = Undefined()

SortKey = tuple[int, Any]

_KINDS: dict[type, int] = {bool: 2, int: 3, float: 3, str: 4, list: 5, dict: 6}
_ARRAY = _KINDS[list]


def kind(value: object) -> int:
    """Return a number for the value's type, in the order in which ORDER BY sorts types."""
    if value is UNDEFINED:
        return 0
    return 1 if value is None else _KINDS[type(value)]


def is_number(value: object) -> TypeGuard[float]:
    """Return whether a value is a JSON number, which a boolean is not."""
    return type(value) in {int, float}


def is_primitive(value: object) -> bool:
    """Return whether a value is neither an array nor an object."""
    return kind(value) < _ARRAY


def equal(left: object, right: object) -> bool | Undefined:
    """Return whether two values are the same; undefined unless both are of one type."""
    if left is UNDEFINED or right is UNDEFINED:
        return UNDEFINED
    if kind(left) != kind(right):  # two types are comparable only if one is null
        return False if left is None or right is None else UNDEFINED
    return left == right if is_primitive(left) else canonical(left) == canonical(right)


def ordered(left: Any, right: Any) -> int | Undefined:  # noqa: ANN401 - any JSON
    """Return -1, 0 or 1; undefined unless both are comparable values of one type."""
    if kind(left) != kind(right) or kind(left) == 0 or not is_primitive(left):
        return UNDEFINED
    if left is None:
        return 0
    return int(left > right) - int(left < right)


def sort_key(value: Any) -> SortKey:  # noqa: ANN401 - any JSON
    """Return what sorts values of mixed types as ORDER BY does.

    Undefined values come first, then null, booleans, numbers, text, arrays and objects.
    """
    return kind(value), value if value is not None and kind(value) and is_primitive(value) else 0


def canonical(value: Any) -> str:  # noqa: ANN401 - any JSON
    """Return a text that is the same for values that are the same, such as 1 and 1.0."""
    return json.dumps(_with_floats(value), sort_keys=True)


def _with_floats(value: Any) -> Any:  # noqa: ANN401 - any JSON
    if isinstance(value, dict):
        return {name: _with_floats(member) for name, member in value.items()}
    if isinstance(value, list):
        return [_with_floats(item) for item in value]
    return float(value) + 0.0 if type(value) is int or type(value) is float else value
