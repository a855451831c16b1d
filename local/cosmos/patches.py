"""Partial updates of a document (REST reference, Patch Document)."""

from __future__ import annotations

import copy
from typing import Any

from local.cosmos.errors import bad_request

_MOST_OPERATIONS = 10


def patched(document: dict[str, Any], operations: object) -> dict[str, Any]:
    """The document after the operations add, set, replace, remove and incr; a copy.

    Raises:
        ServiceError: 400 where an operation is unknown or its path does not fit.
    """
    if not isinstance(operations, list) or not 1 <= len(operations) <= _MOST_OPERATIONS:
        raise bad_request(f"A patch has 1 to {_MOST_OPERATIONS} operations.")
    result = copy.deepcopy(document)
    for operation in operations:
        _apply(result, operation)
    return result


def _apply(document: dict[str, Any], operation: dict[str, Any]) -> None:
    name, path = operation.get("op"), str(operation.get("path", ""))
    parent, last = _parent(document, path)
    if name in {"add", "set"}:
        _put(parent, last, operation.get("value"), insert=name == "add")
    elif name in {"replace", "remove", "incr"}:
        if not _exists(parent, last):
            raise bad_request(f"Patch path {path!r} does not exist.")
        _change(parent, last, name, operation.get("value"))
    else:
        raise bad_request(f"Patch operation {name!r} is not covered.")


def _parent(document: dict[str, Any], path: str) -> tuple[Any, str]:
    if not path.startswith("/"):
        raise bad_request(f"Patch path {path!r} must begin with /.")
    *parents, last = path[1:].split("/")
    place: Any = document
    for step in parents:
        if not _exists(place, step):
            raise bad_request(f"Patch path {path!r} does not exist.")
        place = place[int(step)] if isinstance(place, list) else place[step]
    return place, last


def _exists(place: object, step: str) -> bool:
    if isinstance(place, dict):
        return step in place
    return isinstance(place, list) and step.isdigit() and int(step) < len(place)


def _put(place: Any, step: str, value: object, *, insert: bool) -> None:  # noqa: ANN401 - JSON
    if isinstance(place, dict):
        place[step] = value
    elif isinstance(place, list) and step == "-":
        place.append(value)
    elif _exists(place, step):
        if insert:
            place.insert(int(step), value)
        else:
            place[int(step)] = value
    else:
        raise bad_request(f"Patch cannot put a value at {step!r}.")


def _change(place: Any, step: str, name: str, value: Any) -> None:  # noqa: ANN401 - JSON
    at: Any = int(step) if isinstance(place, list) else step
    if name == "remove":
        del place[at]
    elif name == "replace":
        place[at] = value
    elif isinstance(value, (int, float)) and isinstance(place[at], (int, float)):
        place[at] += value
    else:
        raise bad_request("Patch operation 'incr' needs numbers.")
