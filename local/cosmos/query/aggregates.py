"""The aggregate functions.

Where the language reference does not define their results, they are those that Microsoft's .NET SDK
recorded of the service in `AggregateQueryTests.AggregateMixedTypes_baseline.xml`: without values,
COUNT and SUM are 0, and MIN, MAX and AVG are undefined, as they are for values of a wrong type.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from local.cosmos.query.values import UNDEFINED, is_number, is_primitive, sort_key

if TYPE_CHECKING:
    from collections.abc import Callable

AGGREGATES = frozenset({"COUNT", "SUM", "MIN", "MAX", "AVG"})


class Aggregate:
    """An aggregate of the values of an expression in all documents.

    Args:
        name: The function.
        compute: Returns the value of the expression in a document.
    """

    def __init__(self, name: str, compute: Callable[[Any], Any]) -> None:
        self._name = name
        self._compute = compute
        self._count = 0
        self._sum: float = 0
        self._extreme: Any = UNDEFINED
        self._is_defined = True

    def add(self, document: Any) -> None:  # noqa: ANN401 - any JSON
        """Add the value of a document, unless it is undefined."""
        value = self._compute(document)
        if value is UNDEFINED:
            return
        self._count += 1
        if self._name in {"MIN", "MAX"}:
            self._is_defined &= is_primitive(value)
            if self._extreme is UNDEFINED or self._is_beyond(value):
                self._extreme = value
        elif self._name in {"SUM", "AVG"} and is_number(value):
            self._sum += value
        elif self._name != "COUNT":
            self._is_defined = False

    @property
    def result(self) -> Any:  # noqa: ANN401 - any JSON
        """The aggregate of all added values."""
        if not self._is_defined:
            return UNDEFINED
        if self._name == "COUNT":
            return self._count
        if self._name == "SUM":
            return self._sum
        if self._name == "AVG":
            return self._sum / self._count if self._count else UNDEFINED
        return self._extreme

    def _is_beyond(self, value: Any) -> bool:  # noqa: ANN401 - any JSON
        if self._name == "MIN":
            return sort_key(value) < sort_key(self._extreme)
        return sort_key(value) > sort_key(self._extreme)
