"""Checks of the definition of a container (pure)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from local.cosmos.errors import ServiceError, bad_request
from local.cosmos.ids import validate_resource_id
from local.cosmos.indexing_policy import normalize_indexing_policy
from local.cosmos.paths import PathError, parse_path

if TYPE_CHECKING:
    from collections.abc import Mapping

_MAX_TTL_SECONDS = 2**31 - 1
_SYSTEM = frozenset(
    {
        *("_rid", "_self", "_etag", "_ts"),
        *("_docs", "_sprocs", "_triggers", "_udfs", "_conflicts"),
    }
)
_NORMALIZED = frozenset({"id", "partitionKey", "indexingPolicy", "defaultTtl"})
_CONFLICT_RESOLUTION = {
    "mode": "LastWriterWins",
    "conflictResolutionPath": "/_ts",
    "conflictResolutionProcedure": "",
}
_GEOSPATIAL = {"type": "Geography"}
_WITHOUT_EFFECT: Mapping[str, tuple[object, ...]] = {
    "uniqueKeyPolicy": ({}, {"uniqueKeys": []}),
    "conflictResolutionPolicy": (
        {"mode": "LastWriterWins"},
        {"mode": "LastWriterWins", "conflictResolutionPath": "/_ts"},
        _CONFLICT_RESOLUTION,
    ),
    "geospatialConfig": (_GEOSPATIAL,),
    "computedProperties": ([],),
    "vectorEmbeddingPolicy": ({}, {"vectorEmbeddings": []}),
    "fullTextPolicy": ({}, {"fullTextPaths": []}),
    "changeFeedPolicy": ({}, {"retentionDuration": 0}),
    "analyticalStorageTtl": (0,),
}
"""Values of policies without effect, which equal the defaults of the service."""


def container_definition(body: dict[str, Any]) -> dict[str, Any]:
    """Return the definition that the service stores and returns.

    Raises:
        ServiceError: 400, if it is invalid or not supported by the embedded Cosmos DB.
    """
    for name, value in body.items():
        if name not in _SYSTEM | _NORMALIZED and value is not None:
            _check_without_effect(name, value)
    ttl = body.get("defaultTtl")
    return {
        "id": validate_resource_id(body.get("id")),
        "indexingPolicy": normalize_indexing_policy(body.get("indexingPolicy")),
        "partitionKey": _partition_key(body.get("partitionKey")),
        **({} if ttl is None else {"defaultTtl": time_to_live(ttl, "defaultTtl")}),
        "conflictResolutionPolicy": _CONFLICT_RESOLUTION,
        "geospatialConfig": _GEOSPATIAL,
    }


def partition_key_path(definition: dict[str, Any]) -> tuple[str, ...]:
    """Return the steps to the partition key in a document: `a` and `b` for `/a/"b"`."""
    return tuple(segment.name for segment in parse_path(definition["partitionKey"]["paths"][0]))


def item_ttl(document: dict[str, Any]) -> int | None:
    """Return the time to live of an item in seconds, None if it has no `ttl`.

    Raises:
        ServiceError: 400, if its `ttl` is invalid, for example null.
    """
    return time_to_live(document["ttl"], "ttl") if "ttl" in document else None


def time_to_live(value: object, name: str) -> int:
    """Return a time to live in seconds, -1 for no expiry.

    Raises:
        ServiceError: 400, if the value is invalid.
    """
    if type(value) is not int or (value != -1 and not 0 < value <= _MAX_TTL_SECONDS):
        shown = "null" if value is None else value
        raise bad_request(
            f"The input {name} '{shown}' is invalid. Ensure to provide a nonzero positive integer "
            f"less than or equal to '{_MAX_TTL_SECONDS}', or -1."
        )
    return value


def _check_without_effect(name: str, value: object) -> None:
    if value not in _WITHOUT_EFFECT.get(name, ()):
        raise bad_request(
            f"Member {name!r} of a container needs a feature that the embedded Cosmos DB does not "
            "support (see local/cosmos/README.md). Remove it."
        )


def _partition_key(key: object) -> dict[str, Any]:
    if not isinstance(key, dict) or not isinstance(key.get("paths"), list):
        raise bad_request("A container needs a partitionKey with paths.")
    paths = key["paths"]
    if key.get("kind", "Hash") != "Hash" or len(paths) != 1 or key.get("version", 2) != 2:  # noqa: PLR2004 - the hash's version
        raise bad_request(
            "The embedded Cosmos DB supports partition keys of kind Hash, version 2, with exactly "
            "one path, and no hierarchical ones."
        )
    _check_key_path(paths[0])
    return {"paths": paths, "kind": "Hash", "version": 2}


def _check_key_path(path: object) -> None:
    try:
        segments = parse_path(str(path))
    except PathError as error:
        raise _invalid_key_path(path, error.position) from None
    if any(segment.is_wildcard for segment in segments):
        raise _invalid_key_path(path, len(str(path)))


def _invalid_key_path(path: object, position: int) -> ServiceError:
    return bad_request(
        f"The partition key component definition path '{path}' could not be accepted, failed near "
        f"position '{position}'. Partition key paths must contain only valid characters and not "
        "contain a trailing slash or wildcard character."
    )
