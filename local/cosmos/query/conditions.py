"""Conditions on single paths that the condition of a query implies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, TypeGuard

from local.cosmos.query.compiling import Compiler
from local.cosmos.query.tree import Call, Expression, Literal, Parameter, Path
from local.cosmos.query.values import canonical_text, is_primitive

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from local.cosmos.query.tree import Select

_MIRRORED = {"=": "=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
_LAST_BEFORE_SURROGATES, _FIRST_AFTER_SURROGATES, _LAST = "\ud7ff", "\ue000", "\U0010ffff"


class Comparison(NamedTuple):
    """A comparison of a path with a constant, which is true for each document of the result."""

    steps: tuple[str | int, ...]
    operator: str
    value: Any


def comparisons(tree: Select, parameters: Mapping[str, Any]) -> Iterator[Comparison]:
    """Yield comparisons that the condition of a query implies, which may be weaker.

    Raises:
        QueryError: If a parameter has no value.
    """
    constants = Compiler(parameters)
    for part in _conjuncts(tree.where):
        if isinstance(part, Call):
            yield from _compared(part, constants)


def fixed_values(
    tree: Select, steps: tuple[str | int, ...], parameters: Mapping[str, Any]
) -> list[Any] | None:
    """Return the values that a path can have in the result, None if they are not limited.

    Raises:
        QueryError: If a parameter has no value.
    """
    values = _fixed(tree.where, Path(steps), Compiler(parameters))
    return None if values is None else list(values.values())


def _conjuncts(condition: Expression | None) -> Iterator[Expression]:
    if isinstance(condition, Call) and condition.name == "AND":
        for part in condition.arguments:
            yield from _conjuncts(part)
    elif condition is not None:
        yield condition


def _compared(call: Call, constants: Compiler) -> Iterator[Comparison]:
    path, *others = call.arguments
    if not isinstance(path, Path) and call.name in _MIRRORED:
        (path, *others), name = call.arguments[::-1], _MIRRORED[call.name]
    else:
        name = call.name
    values = [constants.constant(other) for other in others if _is_constant(other)]
    if not isinstance(path, Path) or len(values) != len(others):
        return
    if name in _MIRRORED:
        yield Comparison(path.steps, name, values[0])
    elif name == "BETWEEN":
        yield Comparison(path.steps, ">=", values[0])
        yield Comparison(path.steps, "<=", values[1])
    elif name == "STARTSWITH" and len(values) == 1 and isinstance(values[0], str):
        yield Comparison(path.steps, ">=", values[0])
        if end := _after_prefix(values[0]):
            yield Comparison(path.steps, "<", end)


def _after_prefix(prefix: str) -> str:
    """Return the lowest text after all texts with the given prefix, empty if there is none."""
    prefix = prefix.rstrip(_LAST)
    if prefix.endswith(_LAST_BEFORE_SURROGATES):
        return prefix[:-1] + _FIRST_AFTER_SURROGATES
    return prefix and prefix[:-1] + chr(ord(prefix[-1]) + 1)


def _fixed(condition: Expression | None, path: Path, constants: Compiler) -> dict[str, Any] | None:
    """Return the possible values by their canonical texts, None if they are not limited."""
    if not isinstance(condition, Call):
        return None
    if condition.name in {"=", "IN"}:
        return _equal_values(condition, path, constants)
    if condition.name not in {"AND", "OR"}:
        return None
    alternatives = [_fixed(part, path, constants) for part in condition.arguments]
    known = [values for values in alternatives if values is not None]
    if condition.name == "OR":
        union = {text: value for values in known for text, value in values.items()}
        return union if len(known) == len(alternatives) else None
    if not known:
        return None
    return {
        text: value for text, value in known[0].items() if all(text in others for others in known)
    }


def _equal_values(call: Call, path: Path, constants: Compiler) -> dict[str, Any] | None:
    left, *others = call.arguments
    if call.name == "=" and others == [path]:
        left, others = others[0], [left]
    if left != path:
        return None
    values = [constants.constant(other) for other in others if _is_constant(other)]
    if len(values) != len(others) or not all(map(is_primitive, values)):
        return None
    return {canonical_text(value): value for value in values}


def _is_constant(expression: Expression) -> TypeGuard[Literal | Parameter]:
    return isinstance(expression, (Literal, Parameter))
