"""Comparisons of values as in Cosmos DB: by type first, with a value for undefined."""

from __future__ import annotations

import json
from typing import Any, TypeGuard


class Undefined:
    """The result for a property that does not exist, and for what cannot be computed."""

    __slots__ = ()


UNDEFINED = Undefined()

SortKey = tuple[int, Any]

_TYPE_RANKS: dict[type, int] = {bool: 2, int: 3, float: 3, str: 4, list: 5, dict: 6}
_ARRAY = _TYPE_RANKS[list]


def type_rank(value: object) -> int:
    """Return the rank of the type of a value, by which ORDER BY sorts types."""
    if value is UNDEFINED:
        return 0
    return 1 if value is None else _TYPE_RANKS[type(value)]


def is_number(value: object) -> TypeGuard[float]:
    """Return whether a value is a JSON number (a boolean is not)."""
    return type(value) in {int, float}


def is_primitive(value: object) -> bool:
    """Return whether a value is neither an array nor an object."""
    return type_rank(value) < _ARRAY


def are_equal(left: object, right: object) -> bool | Undefined:
    """Return whether two values are equal, undefined if they have different types."""
    if left is UNDEFINED or right is UNDEFINED:
        return UNDEFINED
    if type_rank(left) != type_rank(right):  # comparable only if one is null
        return False if left is None or right is None else UNDEFINED
    return left == right if is_primitive(left) else canonical_text(left) == canonical_text(right)


def compare(left: Any, right: Any) -> int | Undefined:  # noqa: ANN401 - any JSON
    """Return -1, 0 or 1, undefined if the values are not comparable."""
    if type_rank(left) != type_rank(right) or type_rank(left) == 0 or not is_primitive(left):
        return UNDEFINED
    if left is None:
        return 0
    return int(left > right) - int(left < right)


def sort_key(value: Any) -> SortKey:  # noqa: ANN401 - any JSON
    """Return the key by which ORDER BY sorts values of mixed types.

    Undefined values come first, then null, booleans, numbers, text, arrays and objects.
    """
    rank = type_rank(value)
    return rank, value if value is not None and 0 < rank < _ARRAY else 0


def canonical_text(value: Any) -> str:  # noqa: ANN401 - any JSON
    """Return a text that is the same for equal values, such as 1 and 1.0."""
    return json.dumps(_with_floats(value), sort_keys=True)


def _with_floats(value: Any) -> Any:  # noqa: ANN401 - any JSON
    if isinstance(value, dict):
        return {name: _with_floats(member) for name, member in value.items()}
    if isinstance(value, list):
        return [_with_floats(item) for item in value]
    return float(value) + 0.0 if type(value) is int or type(value) is float else value
