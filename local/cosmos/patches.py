"""Partial updates of a document (REST reference, Patch Document)."""

from __future__ import annotations

import copy
from typing import Any, TypeGuard

from local.cosmos.errors import bad_request
from local.cosmos.query import QueryError, parse

_MAX_OPERATIONS = 10
_WITH_VALUE = frozenset({"add", "set", "replace", "incr"})


def condition_holds(condition: object, document: dict[str, Any]) -> bool:
    """Whether a patch's condition, `from c where c.n = 3`, is true of the document.

    Raises:
        ServiceError: 400.
    """
    if condition is None:
        return True
    try:
        return any(True for _ in parse(f"SELECT * {condition}").run([document], {}))
    except QueryError as error:
        raise bad_request(f"The patch's condition: {error}") from None


def apply_patch(document: dict[str, Any], operations: object) -> dict[str, Any]:
    """The document after the operations add, set, replace, remove, incr and move; a copy.

    Raises:
        ServiceError: 400 where an operation is unknown or its path does not fit.
    """
    if not isinstance(operations, list) or not 1 <= len(operations) <= _MAX_OPERATIONS:
        raise bad_request(f"A patch has 1 to {_MAX_OPERATIONS} operations.")
    result = copy.deepcopy(document)
    for operation in operations:
        if not isinstance(operation, dict):
            raise bad_request("A patch operation must be a JSON object.")
        _apply(result, operation)
    return result


def _apply(document: dict[str, Any], operation: dict[str, Any]) -> None:
    name, path, value = str(operation.get("op")), str(operation.get("path")), operation.get("value")
    place, last = _parent(document, path)
    if name in {"replace", "remove"} and not _exists(place, last):
        raise bad_request(f"Patch path {path!r} does not exist.")
    if name in _WITH_VALUE and "value" not in operation:
        raise bad_request(f"Patch operation {name!r} on {path!r} lacks its value.")
    if name == "remove":
        del place[_index(place, last)]
    elif name in {"set", "replace"}:
        _set(place, last, value)
    elif name == "add":
        _add(place, last, value)
    elif name == "incr":
        _increment(place, last, value)
    elif name == "move":
        _move(document, str(operation.get("from")), path)
    else:
        raise bad_request(f"Patch operation {name!r} is not covered by the embedded Cosmos DB.")


def _parent(document: dict[str, Any], path: str) -> tuple[Any, str]:
    if not path.startswith("/") or path == "/":
        raise bad_request(f"Patch path {path!r} must be like /name.")
    *parents, last = (step.replace("~1", "/").replace("~0", "~") for step in path[1:].split("/"))
    place: Any = document
    for step in parents:
        if not _exists(place, step):
            raise bad_request(f"Patch path {path!r} does not exist.")
        place = place[_index(place, step)]
    return place, last


def _exists(place: object, step: str) -> bool:
    if isinstance(place, dict):
        return step in place
    return isinstance(place, list) and step.isdecimal() and int(step) < len(place)


def _index(place: object, step: str) -> Any:  # noqa: ANN401 - of a list or of an object
    return int(step) if isinstance(place, list) else step


def _set(place: Any, step: str, value: object) -> None:  # noqa: ANN401 - JSON
    if not isinstance(place, dict) and not _exists(place, step):
        raise bad_request(f"A patch cannot set a value at {step!r}.")
    place[_index(place, step)] = value


def _add(place: Any, step: str, value: object) -> None:  # noqa: ANN401 - JSON
    if isinstance(place, list) and (step == "-" or step == str(len(place))):
        place.append(value)
    elif isinstance(place, list) and _exists(place, step):
        place.insert(int(step), value)
    else:
        _set(place, step, value)


def _move(document: dict[str, Any], source: str, target: str) -> None:
    if target.startswith(f"{source}/"):
        raise bad_request(f"A patch cannot move {source!r} into itself, to {target!r}.")
    place, last = _parent(document, source)
    if not _exists(place, last):
        raise bad_request(f"Patch path {source!r} does not exist.")
    value = place.pop(_index(place, last))
    _add(*_parent(document, target), value)


def _increment(place: Any, step: str, value: object) -> None:  # noqa: ANN401 - JSON
    before: object = place[_index(place, step)] if _exists(place, step) else 0
    if not _is_number(value) or not _is_number(before):
        raise bad_request("Patch operation 'incr' needs numbers.")
    _set(place, step, before + value)


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
