"""Indexing policies: how they are normalized, and which terms of a document they index."""

from __future__ import annotations

from typing import Any

import pytest

from local.cosmos.errors import ServiceError
from local.cosmos.indexing import IndexedPaths
from local.cosmos.indexing_policy import normalize_indexing_policy

ETAG = {"path": '/"_etag"/?'}
DEFAULT = {
    "indexingMode": "consistent",
    "automatic": True,
    "includedPaths": [{"path": "/*"}],
    "excludedPaths": [ETAG],
}
DOCUMENT = {"id": "1", "pk": "s", "n": 1, "data": {"a": 1, "list": [1, 2]}}


def paths(*names: str) -> list[dict[str, str]]:
    return [{"path": name} for name in names]


@pytest.mark.parametrize(
    "policy",
    [
        None,
        {},
        {"indexingMode": "Consistent"},
        {"indexingMode": "consistent", "automatic": True},
        {"includedPaths": paths("/*")},
        {"includedPaths": paths("/"), "excludedPaths": []},
        {"includedPaths": [{"path": "/*", "indexes": [{"kind": "Range", "dataType": "Number"}]}]},
        {"excludedPaths": [ETAG]} | {"includedPaths": paths("/*")},
        DEFAULT,
    ],
)
def test_what_a_policy_leaves_open_has_the_services_defaults(policy: Any) -> None:
    """Everything is indexed but the ETag."""
    assert normalize_indexing_policy(policy) == DEFAULT


def test_the_etag_is_excluded_unless_it_is_named() -> None:
    """At the end of the excluded paths."""
    few = normalize_indexing_policy({"includedPaths": paths("/a/?"), "excludedPaths": paths("/*")})
    with_etag = normalize_indexing_policy({"includedPaths": paths("/*", "/_etag/?")})

    assert few["excludedPaths"] == [{"path": "/*"}, ETAG]
    assert with_etag["excludedPaths"] == []


def test_without_an_index_there_are_no_paths() -> None:
    """Mode none switches the automatic index off."""
    assert normalize_indexing_policy({"indexingMode": "None", "automatic": False}) == {
        "indexingMode": "none",
        "automatic": False,
        "includedPaths": [],
        "excludedPaths": [],
    }


def test_composite_and_spatial_indexes_are_kept() -> None:
    """With their defaults: ascending, and every type."""
    policy = normalize_indexing_policy(
        {
            "compositeIndexes": [[{"path": "/a"}, {"path": "/b/[]/c", "order": "Descending"}]],
            "spatialIndexes": [{"path": "/p/*"}, {"path": "/q/?", "types": ["Point"]}],
        }
    )

    assert policy["compositeIndexes"] == [
        [{"path": "/a", "order": "ascending"}, {"path": "/b/[]/c", "order": "descending"}]
    ]
    assert policy["spatialIndexes"] == [
        {"path": "/p/*", "types": ["Point", "LineString", "Polygon", "MultiPolygon"]},
        {"path": "/q/?", "types": ["Point"]},
    ]


@pytest.mark.parametrize(
    ("policy", "message"),
    [
        ([], "JSON object"),
        ({"indexingMode": "lazy"}, "lazy"),
        ({"indexingMode": "sometimes"}, "sometimes"),
        ({"automatic": "yes"}, "automatic"),
        ({"includedPaths": {}}, "list"),
        ({"includedPaths": [1]}, "path"),
        ({"includedPaths": [{"path": 1}]}, "path"),
        ({"excludedPaths": paths("/a/*")}, "mandatory indexing path"),
        ({"includedPaths": paths("/*"), "excludedPaths": paths("/*")}, "more than once"),
        ({"includedPaths": paths("/*", "/a/?", '/"a"/?')}, "more than once"),
        ({"includedPaths": paths("/*", "/expiration")}, "failed near position '11'"),
        ({"includedPaths": paths("/*", "/a/*/b/?")}, "could not be accepted"),
        ({"includedPaths": paths("/*", "/?")}, "could not be accepted"),
        ({"includedPaths": paths("/*", "/a/[]")}, "could not be accepted"),
        ({"includedPaths": paths("/*", "/a-b/?")}, "failed near position '0'"),
        ({"includedPaths": paths("/*", "/a/[]/{b, c}/?")}, "failed near position '5'"),
        ({"compositeIndexes": [paths("/a")]}, "2 to 8"),
        ({"compositeIndexes": [paths("/a", "/b/?")]}, "could not be accepted"),
        ({"compositeIndexes": [[{"path": "/a"}, {"path": "/b", "order": "up"}]]}, "order"),
        ({"compositeIndexes": [paths("/a", "/a")]}, "more than once"),
        ({"compositeIndexes": {}}, "list"),
        ({"spatialIndexes": [{"path": "/a", "types": ["Circle"]}]}, "types"),
        ({"spatialIndexes": [{"path": "/a", "types": []}]}, "types"),
        ({"spatialIndexes": [{}]}, "path"),
        ({"vectorIndexes": [{"path": "/v", "type": "flat"}]}, "vectorIndexes"),
        ({"fullTextIndexes": [{"path": "/t"}]}, "fullTextIndexes"),
    ],
)
def test_a_policy_that_the_service_rejects_is_rejected(policy: Any, message: str) -> None:
    """And so is what is not covered, by name."""
    with pytest.raises(ServiceError, match="400") as caught:
        normalize_indexing_policy(policy)

    assert message in caught.value.message


@pytest.mark.parametrize(
    ("included", "excluded", "expected"),
    [
        pytest.param(["/*"], [], 7, id="everything"),
        pytest.param(["/*"], ["/data/*"], 3, id="all but a branch"),
        pytest.param(["/data/*"], ["/*"], 5, id="a branch, and the id"),
        pytest.param(["/data/a/?", "/id/?"], ["/*"], 2, id="two places"),
        pytest.param(["/data/*", "/*"], ["/data/list/*"], 4, id="a branch of a branch"),
        pytest.param(["/data/list/[]/?"], ["/*"], 3, id="elements of a list, and the id"),
        pytest.param(['/"pk"/?'], ["/*"], 2, id="a quoted name, and the id"),
        pytest.param(["/pk/?"], ["/*", "/pk/*"], 2, id="the most precise rule counts"),
        pytest.param([], ["/*"], 1, id="nothing but the id"),
    ],
)
def test_the_most_precise_path_counts(
    included: list[str], excluded: list[str], expected: int
) -> None:
    """Scalars and arrays at indexed paths are terms; the id always is one."""
    policy = {"includedPaths": paths(*included), "excludedPaths": paths(*excluded)}

    assert IndexedPaths(policy).count(DOCUMENT) == expected


def test_without_an_index_there_are_no_terms() -> None:
    """Not even the id."""
    indexed = IndexedPaths({"indexingMode": "none"})

    assert indexed.count(DOCUMENT) == indexed.count_changes(DOCUMENT, {"id": "1"}) == 0


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, 0),
        ({"n": 2}, 1),
        ({"new": {"a": 1, "b": 2}}, 2),
        ({"n": {"a": 1, "b": 2}}, 2),
        ({"data": {"a": 1, "list": [1, 3, 4]}}, 2),
        ({"data": {"a": 1, "list": [1]}}, 1),
        ({"data": None}, 4),
    ],
)
def test_a_new_version_changes_the_terms_that_differ(
    changes: dict[str, Any], expected: int
) -> None:
    """In either direction."""
    indexed, after = IndexedPaths(DEFAULT), {**DOCUMENT, **changes}

    assert indexed.count_changes(DOCUMENT, after) == expected
    assert indexed.count_changes(after, DOCUMENT) == expected


def test_changes_that_are_not_indexed_do_not_count() -> None:
    """Inside a branch that the policy leaves out."""
    indexed = IndexedPaths({"includedPaths": paths("/pk/?"), "excludedPaths": paths("/*")})

    assert indexed.count_changes(DOCUMENT, {**DOCUMENT, "data": [], "n": 7}) == 0
