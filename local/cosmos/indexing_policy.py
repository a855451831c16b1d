"""Indexing policies as the service checks and normalizes them (pure).

The rules and defaults are those of "Indexing policies in Azure Cosmos DB", and of the policy that
an account returned for a container without one. Lists that the service returns empty are omitted.
"""

from __future__ import annotations

from typing import Any

from local.cosmos.errors import ServiceError, bad_request
from local.cosmos.paths import PathError, Segment, parse_path

_ROOT = {"path": "/*"}
_ETAG = {"path": '/"_etag"/?'}
_MODES = ("consistent", "none")
_MAX_PATHS = 1500
_MAX_COMPOSITE_INDEXES = 100
_COMPOSITE_PATHS = (2, 8)
_ORDERS = ("ascending", "descending")
_SPATIAL_TYPES = ("Point", "LineString", "Polygon", "MultiPolygon")
_MEMBERS = frozenset(
    {
        *("indexingMode", "automatic", "includedPaths", "excludedPaths"),
        *("compositeIndexes", "spatialIndexes"),
    }
)


def normalize_indexing_policy(policy: object) -> dict[str, Any]:
    """Return the policy that the service stores and returns.

    Raises:
        ServiceError: 400, if the service rejects the policy, or if it is not supported here.
    """
    if policy is not None and not isinstance(policy, dict):
        raise bad_request("An indexingPolicy must be a JSON object.")
    given = {name: value for name, value in (policy or {}).items() if value not in (None, [])}
    if unknown := sorted(given.keys() - _MEMBERS):
        raise bad_request(
            f"Member {unknown[0]!r} of an indexing policy is not supported by the embedded Cosmos "
            "DB."
        )
    mode = _mode(given.get("indexingMode", "consistent"))
    if mode == "none":
        return {"indexingMode": mode, "automatic": False, "includedPaths": [], "excludedPaths": []}
    included, excluded = _paths(given)
    normalized: dict[str, Any] = {
        "indexingMode": mode,
        "automatic": _automatic(given.get("automatic", True)),
        "includedPaths": included,
        "excludedPaths": excluded,
    }
    if "compositeIndexes" in given:
        normalized["compositeIndexes"] = _composites(given["compositeIndexes"])
    if "spatialIndexes" in given:
        normalized["spatialIndexes"] = _spatials(given["spatialIndexes"])
    return normalized


def _mode(value: object) -> str:
    mode = str(value).lower()
    if mode not in _MODES:
        raise bad_request(
            f"The indexing mode {value!r} is invalid: choose one of {', '.join(_MODES)}. "
            "The service rejects 'lazy' for new containers."
        )
    return mode


def _automatic(value: object) -> bool:
    if not isinstance(value, bool):
        raise bad_request(
            f"'automatic' of an indexing policy must be true or false, not {value!r}."
        )
    return value


def _paths(given: dict[str, Any]) -> tuple[list[dict[str, str]], list[dict[str, str]]]:
    included = [{"path": path} for path in _path_list(given, "includedPaths")]
    excluded = [{"path": path} for path in _path_list(given, "excludedPaths")]
    if not included and not excluded:
        included = [_ROOT]
    names = [_names(entry["path"]) for entry in (*included, *excluded)]
    if len(set(names)) < len(names):
        raise bad_request("An indexing policy names a path more than once.")
    if ("*",) not in names:
        raise bad_request(
            "The special mandatory indexing path '/' is not provided in any of the path type sets. "
            "Please provide this path in one of the sets."
        )
    if ("_etag", "?") not in names:
        excluded.append(_ETAG)
    return included, excluded


def _names(path: str) -> tuple[str, ...]:
    return tuple(segment.name for segment in parse_path(path))


def _path_list(given: dict[str, Any], name: str) -> list[str]:
    entries = given.get(name, [])
    if not isinstance(entries, list) or len(entries) > _MAX_PATHS:
        raise bad_request(
            f"An indexing policy's {name} must be a list of up to {_MAX_PATHS} paths."
        )
    return [_index_path(_path_of(entry, name)) for entry in entries]


def _path_of(entry: object, name: str) -> str:
    if not isinstance(entry, dict) or not isinstance(entry.get("path"), str):
        raise bad_request(f"Each entry of an indexing policy's {name} needs a path such as '/*'.")
    return str(entry["path"])


def _index_path(path: str) -> str:
    """Return an included or excluded path; `/` is the same as `/*`."""
    if path == "/":
        return "/*"
    *parents, last = _parsed(path)
    if last.is_quoted or last.name not in {"*", "?"} or (last.name == "?" and not parents):
        raise _invalid_path(path, len(path))
    if any(parent.is_wildcard and parent.name != "[]" for parent in parents):
        raise _invalid_path(path, 0)
    return path


def _value_path(path: str, wildcards: frozenset[str]) -> str:
    """Return a path of a composite or spatial index."""
    if any(segment.is_wildcard and segment.name not in wildcards for segment in _parsed(path)):
        raise _invalid_path(path, 0)
    return path


def _parsed(path: str) -> tuple[Segment, ...]:
    try:
        return parse_path(path)
    except PathError as error:
        raise _invalid_path(path, error.position) from None


def _invalid_path(path: str, position: int) -> ServiceError:
    return bad_request(
        f"The indexing path '{path}' could not be accepted, failed near position '{position}'. "
        "Please ensure that the path is a valid path. Common errors include invalid characters or "
        "absence of quotes around labels."
    )


def _composites(indexes: object) -> list[list[dict[str, str]]]:
    if not isinstance(indexes, list) or len(indexes) > _MAX_COMPOSITE_INDEXES:
        raise bad_request(
            f"'compositeIndexes' must be a list of up to {_MAX_COMPOSITE_INDEXES} indexes."
        )
    return [_composite(index) for index in indexes]


def _composite(index: object) -> list[dict[str, str]]:
    minimum, maximum = _COMPOSITE_PATHS
    if not isinstance(index, list) or not minimum <= len(index) <= maximum:
        raise bad_request(f"A composite index must be a list of {minimum} to {maximum} paths.")
    entries = [
        {
            "path": _value_path(_path_of(entry, "compositeIndexes"), frozenset({"[]"})),
            "order": str(entry.get("order", "ascending")).lower(),
        }
        for entry in index
    ]
    if any(entry["order"] not in _ORDERS for entry in entries):
        raise bad_request(f"The order of a composite index must be one of {', '.join(_ORDERS)}.")
    if len({entry["path"] for entry in entries}) < len(entries):
        raise bad_request("A composite index names a path more than once.")
    return entries


def _spatials(indexes: object) -> list[dict[str, Any]]:
    if not isinstance(indexes, list):
        raise bad_request("'spatialIndexes' must be a list.")
    return [_spatial(index) for index in indexes]


def _spatial(index: object) -> dict[str, Any]:
    path = _value_path(_path_of(index, "spatialIndexes"), frozenset({"[]", "?", "*"}))
    types = index.get("types", list(_SPATIAL_TYPES)) if isinstance(index, dict) else None
    if (
        not isinstance(types, list)
        or not types
        or any(kind not in _SPATIAL_TYPES for kind in types)
    ):
        raise bad_request(
            f"The types of a spatial index must be among {', '.join(_SPATIAL_TYPES)}."
        )
    return {"path": path, "types": types}
