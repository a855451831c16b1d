"""Patches of a document, as in "Patch Document" of the REST reference (pure)."""

from __future__ import annotations

import copy
from typing import Any, TypeGuard

from local.cosmos.errors import bad_request
from local.cosmos.query import QueryError, parse

_MAX_OPERATIONS = 10
_WITH_VALUE = frozenset({"add", "set", "replace", "incr"})


def condition_holds(condition: object, document: dict[str, Any]) -> bool:
    """Return whether a document meets the condition of a patch, such as `from c where c.n = 3`.

    Raises:
        ServiceError: 400, if the condition is invalid.
    """
    if condition is None:
        return True
    try:
        return any(True for _ in parse(f"SELECT * {condition}").run([document], {}))
    except QueryError as error:
        raise bad_request(f"Condition of the patch: {error}") from None


def apply_patch(document: dict[str, Any], operations: object) -> dict[str, Any]:
    """Return a copy of a document with the operations of a patch applied.

    They are add, set, replace, remove, incr and move.

    Raises:
        ServiceError: 400, if an operation is unknown, or its path does not match the document.
    """
    if not isinstance(operations, list) or not 1 <= len(operations) <= _MAX_OPERATIONS:
        raise bad_request(f"A patch must have 1 to {_MAX_OPERATIONS} operations.")
    result = copy.deepcopy(document)
    for operation in operations:
        if not isinstance(operation, dict):
            raise bad_request("A patch operation must be a JSON object.")
        _apply_operation(result, operation)
    return result


def _apply_operation(document: dict[str, Any], operation: dict[str, Any]) -> None:
    name, path, value = str(operation.get("op")), str(operation.get("path")), operation.get("value")
    parent, last = _parent(document, path)
    if name in {"replace", "remove"} and not _exists(parent, last):
        raise bad_request(f"Patch path {path!r} does not exist.")
    if name in _WITH_VALUE and "value" not in operation:
        raise bad_request(f"Patch operation {name!r} on {path!r} needs a value.")
    if name == "remove":
        del parent[_index(parent, last)]
    elif name in {"set", "replace"}:
        _set(parent, last, value)
    elif name == "add":
        _add(parent, last, value)
    elif name == "incr":
        _increment(parent, last, value)
    elif name == "move":
        _move(document, str(operation.get("from")), path)
    else:
        raise bad_request(f"Patch operation {name!r} is not supported by the embedded Cosmos DB.")


def _parent(document: dict[str, Any], path: str) -> tuple[Any, str]:
    if not path.startswith("/") or path == "/":
        raise bad_request(f"Patch path {path!r} must have the form /name.")
    *parents, last = (step.replace("~1", "/").replace("~0", "~") for step in path[1:].split("/"))
    parent: Any = document
    for step in parents:
        if not _exists(parent, step):
            raise bad_request(f"Patch path {path!r} does not exist.")
        parent = parent[_index(parent, step)]
    return parent, last


def _exists(parent: object, step: str) -> bool:
    if isinstance(parent, dict):
        return step in parent
    return isinstance(parent, list) and step.isdecimal() and int(step) < len(parent)


def _index(parent: object, step: str) -> Any:  # noqa: ANN401 - of a list or of an object
    return int(step) if isinstance(parent, list) else step


def _set(parent: Any, step: str, value: object) -> None:  # noqa: ANN401 - JSON
    if not isinstance(parent, dict) and not _exists(parent, step):
        raise bad_request(f"A patch cannot set a value at {step!r}.")
    parent[_index(parent, step)] = value


def _add(parent: Any, step: str, value: object) -> None:  # noqa: ANN401 - JSON
    if isinstance(parent, list) and (step == "-" or step == str(len(parent))):
        parent.append(value)
    elif isinstance(parent, list) and _exists(parent, step):
        parent.insert(int(step), value)
    else:
        _set(parent, step, value)


def _move(document: dict[str, Any], source: str, target: str) -> None:
    if target.startswith(f"{source}/"):
        raise bad_request(f"A patch cannot move {source!r} into itself, to {target!r}.")
    parent, last = _parent(document, source)
    if not _exists(parent, last):
        raise bad_request(f"Patch path {source!r} does not exist.")
    value = parent.pop(_index(parent, last))
    _add(*_parent(document, target), value)


def _increment(parent: Any, step: str, value: object) -> None:  # noqa: ANN401 - JSON
    before: object = parent[_index(parent, step)] if _exists(parent, step) else 0
    if not _is_number(value) or not _is_number(before):
        raise bad_request("Patch operation 'incr' needs numbers.")
    _set(parent, step, before + value)


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
