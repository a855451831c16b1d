"""What may be asked of a new database or container: pure checks."""

from __future__ import annotations

from typing import Any

from local.cosmos.errors import bad_request

_LONGEST_NAME = 255
_LONGEST_LIFE = 2**31 - 1
_SYSTEM = frozenset(
    {
        *("_rid", "_self", "_etag", "_ts"),
        *("_docs", "_sprocs", "_triggers", "_udfs", "_conflicts"),
    }
)
_DEFAULT_POLICY = {
    "indexingMode": "consistent",
    "automatic": True,
    "includedPaths": [{"path": "/*"}],
    "excludedPaths": [{"path": '/"_etag"/?'}],
}


def resource_name(name: object) -> str:
    """The id of a database or container.

    Raises:
        ServiceError: 400.
    """
    if not isinstance(name, str) or not 1 <= len(name) <= _LONGEST_NAME:
        raise bad_request(f"An id of a database or container has 1 to {_LONGEST_NAME} characters.")
    if any(char in name for char in "/\\?#"):
        raise bad_request("An id of a database or container has none of / \\ ? #.")
    return name


def container_definition(body: dict[str, Any]) -> dict[str, Any]:
    """The definition that the service keeps and echoes.

    Raises:
        ServiceError: 400, also for what the embedded Cosmos DB does not cover.
    """
    if body.get("uniqueKeyPolicy") not in (None, {}, {"uniqueKeys": []}):
        raise bad_request("Unique keys are not covered by the embedded Cosmos DB.")
    kept = {name: value for name, value in body.items() if name not in _SYSTEM}
    return {
        **kept,
        "id": resource_name(body.get("id")),
        "partitionKey": _partition_key(body.get("partitionKey")),
        "indexingPolicy": _indexing_policy(body.get("indexingPolicy")),
        **({"defaultTtl": body["defaultTtl"]} if time_to_live(body, "defaultTtl") else {}),
    }


def key_path(definition: dict[str, Any]) -> tuple[str, ...]:
    """The steps to the partition key in a document: `/a/"b"` gives `a`, `b`."""
    path: str = definition["partitionKey"]["paths"][0]
    return tuple(step.strip('"') for step in path.split("/")[1:])


def time_to_live(body: dict[str, Any], name: str) -> int | None:
    """Seconds to live that a container or an item asks for; -1 for ever, None if it says nothing.

    Raises:
        ServiceError: 400.
    """
    value = body.get(name)
    if value is None:
        return None
    if type(value) is not int or (value != -1 and not 0 < value <= _LONGEST_LIFE):
        raise bad_request(f"{name} must be -1, or seconds from 1 to {_LONGEST_LIFE}.")
    return value


def _partition_key(key: object) -> dict[str, Any]:
    if not isinstance(key, dict) or not isinstance(key.get("paths"), list):
        raise bad_request("A container needs a partitionKey with its paths.")
    paths = key["paths"]
    if key.get("kind", "Hash") != "Hash" or len(paths) != 1 or key.get("version", 2) != 2:  # noqa: PLR2004 - the hash's version
        raise bad_request(
            "The embedded Cosmos DB covers partition keys of kind Hash, version 2, with exactly "
            "one path; no hierarchical ones."
        )
    if not isinstance(paths[0], str) or not paths[0].startswith("/") or len(paths[0]) == 1:
        raise bad_request(f"A partition key's path must be like /name, not {paths[0]!r}.")
    return {"paths": paths, "kind": "Hash", "version": 2}


def _indexing_policy(policy: object) -> dict[str, Any]:
    if policy is None:
        return _DEFAULT_POLICY
    if not isinstance(policy, dict):
        raise bad_request("An indexingPolicy must be a JSON object.")
    for name in ("includedPaths", "excludedPaths"):
        paths = policy.get(name) or []
        if not isinstance(paths, list) or not all(map(_has_path, paths)):
            raise bad_request(f"Each of an indexing policy's {name} needs a path like /*.")
    return policy


def _has_path(each: object) -> bool:
    return isinstance(each, dict) and str(each.get("path")).startswith("/")
