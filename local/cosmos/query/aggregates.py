"""The aggregate functions.

What they return is what Microsoft's .NET SDK has recorded of the service in
`AggregateQueryTests.AggregateMixedTypes_baseline.xml`, where the language reference is silent: over
no values COUNT and SUM are 0, and MIN, MAX and AVG undefined, as they are over a wrong type.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from local.cosmos.query.values import UNDEFINED, is_number, is_primitive, sort_key

if TYPE_CHECKING:
    from collections.abc import Callable

AGGREGATES = frozenset({"COUNT", "SUM", "MIN", "MAX", "AVG"})


class Aggregate:
    """One aggregate over the values that an expression has in each document.

    Args:
        name: The function.
        compute: The expression.
    """

    def __init__(self, name: str, compute: Callable[[Any], Any]) -> None:
        self._name = name
        self._compute = compute
        self._count = 0
        self._sum: float = 0
        self._extreme: Any = UNDEFINED
        self._is_defined = True

    def add(self, document: Any) -> None:  # noqa: ANN401 - any JSON
        """Count a document's value in; an undefined one is ignored."""
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
        """The aggregate of what was added."""
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
