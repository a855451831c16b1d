"""What the embedded Cosmos DB makes of definitions, policies and requests: pure rules."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from local.cosmos.definitions import container_definition, key_path
from local.cosmos.errors import ServiceError
from local.cosmos.indexing import IndexedPaths
from local.cosmos.jsontext import decode, encode
from local.cosmos.patches import holds, patched
from local.cosmos.routes import verb_of
from local.cosmos.table import Item

KEY = {"paths": ["/pk"]}


def test_a_definition_is_kept_with_the_services_defaults() -> None:
    """And without what only the service may say."""
    found = container_definition({"id": "c", "partitionKey": KEY, "defaultTtl": -1, "_rid": "x"})

    assert found["partitionKey"] == {"paths": ["/pk"], "kind": "Hash", "version": 2}
    assert found["indexingPolicy"]["includedPaths"] == [{"path": "/*"}]
    assert (found["id"], found["defaultTtl"]) == ("c", -1)
    assert "_rid" not in found


def test_the_path_of_a_key_may_be_quoted() -> None:
    """For names that need it."""
    definition = container_definition({"id": "c", "partitionKey": {"paths": ['/a/"b c"']}})

    assert key_path(definition) == ("a", "b c")


@pytest.mark.parametrize(
    ("included", "excluded", "expected"),
    [
        pytest.param(["/*"], [], 6, id="everything"),
        pytest.param(["/*"], ["/data/*"], 3, id="all but a branch"),
        pytest.param(["/data/*"], ["/*"], 3, id="a branch only"),
        pytest.param(["/data/a/?", "/id/?"], ["/*"], 2, id="two places"),
        pytest.param(["/data/*", "/*"], ["/data/list/*"], 4, id="a branch of a branch"),
        pytest.param(["/data/list/[]/?"], ["/*"], 2, id="elements of a list"),
        pytest.param(['/"id"/?'], ["/*"], 1, id="a quoted name"),
        pytest.param(["/id/?"], ["/*", "/id/*"], 1, id="the most precise rule counts"),
    ],
)
def test_the_most_precise_path_counts(
    included: list[str], excluded: list[str], expected: int
) -> None:
    """Of an indexing policy."""
    document = {"id": "1", "pk": "s", "n": 1, "data": {"a": 1, "list": [1, 2]}}
    policy = {
        "includedPaths": [{"path": path} for path in included],
        "excludedPaths": [{"path": path} for path in excluded],
    }

    assert IndexedPaths(policy).count(document) == expected


@pytest.mark.parametrize(
    ("method", "headers", "expected"),
    [
        ("GET", {}, "GET"),
        ("GET", {"a-im": "Incremental Feed"}, "CHANGES"),
        ("POST", {}, "POST"),
        ("POST", {"content-type": "application/query+json"}, "QUERY"),
        ("POST", {"x-ms-cosmos-is-batch-request": "True"}, "BATCH"),
        ("POST", {"x-ms-cosmos-is-query-plan-request": "True"}, "PLAN"),
        ("PUT", {"a-im": "Incremental Feed"}, "PUT"),
    ],
)
def test_a_requests_verb_is_what_it_really_does(
    method: str, headers: Mapping[str, str], expected: str
) -> None:
    """REST has fewer."""
    assert verb_of(method, headers) == expected


@pytest.mark.parametrize(
    ("default", "own", "expired"),
    [
        pytest.param(None, 1, False, id="switched off"),
        pytest.param(-1, None, False, id="for ever"),
        pytest.param(-1, 10, True, id="the item's own"),
        pytest.param(10, None, True, id="the container's"),
        pytest.param(10, -1, False, id="the item stays"),
        pytest.param(10, 11, False, id="the item's own is longer"),
        pytest.param(11, None, False, id="not yet"),
    ],
)
def test_an_items_own_time_to_live_goes_first(
    default: int | None, own: int | None, *, expired: bool
) -> None:
    """If the container has one at all."""
    item = Item(1, '"a"', "1", "0", "", 1, "", 100, own, "{}")

    assert item.is_expired(default, 110.0) is expired


@pytest.mark.parametrize(
    "text", ["", "{", "NaN", "[-Infinity]", "1e999", '"\\ud800"', '["\\uDC00"]', b"\xff"]
)
def test_what_is_no_json_is_refused(text: str | bytes) -> None:
    """Python alone would take some of it."""
    with pytest.raises(ValueError, match=r"."):
        decode(text)


def test_text_survives_as_it_is() -> None:
    """Compact, and without escapes."""
    value: Any = {"a": ["ü", "😀", 1.5, None]}

    assert encode(value) == '{"a":["ü","😀",1.5,null]}'
    assert decode(encode(value)) == decode(b'{"a":["\\u00fc","\\ud83d\\ude00",1.5,null]}') == value


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        ({"op": "incr", "path": "/new", "value": 2}, {"list": [1], "new": 2}),
        ({"op": "add", "path": "/list/-", "value": 2}, {"list": [1, 2]}),
        ({"op": "add", "path": "/list/1", "value": 2}, {"list": [1, 2]}),
        ({"op": "set", "path": "/new", "value": None}, {"list": [1], "new": None}),
        ({"op": "remove", "path": "/list/0"}, {"list": []}),
    ],
)
def test_patches_create_what_the_service_would(
    operation: dict[str, Any], expected: dict[str, Any]
) -> None:
    """An increment of nothing begins at zero."""
    assert patched({"list": [1]}, [operation]) == expected


@pytest.mark.parametrize(
    ("source", "target", "expected"),
    [
        pytest.param("/a", "/new", {"b": {"c": 1}, "list": [1, 2], "new": 7}, id="a new name"),
        pytest.param("/a", "/b/c", {"b": {"c": 7}, "list": [1, 2]}, id="in place of another"),
        pytest.param("/b/c", "/list/1", {"a": 7, "b": {}, "list": [1, 1, 2]}, id="into a list"),
        pytest.param("/list/0", "/a", {"a": 1, "b": {"c": 1}, "list": [2]}, id="out of a list"),
    ],
)
def test_a_patch_moves_a_value(source: str, target: str, expected: dict[str, Any]) -> None:
    """A value that is in its new place is replaced, and one in a list is shifted."""
    before = {"a": 7, "b": {"c": 1}, "list": [1, 2]}

    assert patched(before, [{"op": "move", "from": source, "path": target}]) == expected


@pytest.mark.parametrize(("source", "target"), [("/none", "/a"), ("/b", "/b/c"), ("/b", "/x/y")])
def test_a_move_that_does_not_fit_is_refused(source: str, target: str) -> None:
    """A source that is missing, a target inside the source, a target without a parent."""
    with pytest.raises(ServiceError, match="400"):
        patched({"a": 7, "b": {"c": 1}}, [{"op": "move", "from": source, "path": target}])


@pytest.mark.parametrize(("condition", "expected"), [(None, True), ("FROM c WHERE c.n = 2", False)])
def test_a_patch_may_depend_on_the_document(condition: str | None, *, expected: bool) -> None:
    """By the end of a query."""
    assert holds(condition, {"n": 1}) is expected
