"""What the embedded Cosmos DB makes of definitions, policies and requests: pure rules."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.cosmos.definitions import container_definition, partition_key_path
from local.cosmos.errors import ServiceError
from local.cosmos.jsontext import decode, encode
from local.cosmos.patches import apply_patch, condition_holds
from local.cosmos.routes import request_kind
from local.cosmos.table import Item

KEY = {"paths": ["/pk"]}


def test_a_definition_is_kept_with_the_services_defaults() -> None:
    """And without what only the service may say."""
    definition = container_definition(
        {"id": "c", "partitionKey": KEY, "defaultTtl": -1, "_rid": "x"}
    )

    assert definition["partitionKey"] == {"paths": ["/pk"], "kind": "Hash", "version": 2}
    assert definition["indexingPolicy"]["includedPaths"] == [{"path": "/*"}]
    assert definition["conflictResolutionPolicy"]["mode"] == "LastWriterWins"
    assert definition["geospatialConfig"] == {"type": "Geography"}
    assert (definition["id"], definition["defaultTtl"]) == ("c", -1)
    assert "_rid" not in definition


def test_the_path_of_a_key_may_be_quoted() -> None:
    """For names that need it; a slash inside quotes is part of the name."""
    definition = container_definition({"id": "c", "partitionKey": {"paths": ['/a/"b c/d"']}})

    assert partition_key_path(definition) == ("a", "b c/d")


@pytest.mark.parametrize("path", ["/a/", "/a/*", "/a/?", "/a/[]/b", "/a-b", "a", "", '/"a', None])
def test_a_partition_key_has_a_path_to_one_property(path: object) -> None:
    """Without wildcards, and with quotes around unusual names."""
    with pytest.raises(ServiceError, match="partition key component definition path"):
        container_definition({"id": "c", "partitionKey": {"paths": [path]}})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("uniqueKeyPolicy", {"uniqueKeys": [{"paths": ["/a"]}]}),
        ("computedProperties", [{"name": "lower", "query": "SELECT VALUE LOWER(c.n) FROM c"}]),
        ("vectorEmbeddingPolicy", {"vectorEmbeddings": [{"path": "/v"}]}),
        ("fullTextPolicy", {"defaultLanguage": "en-US", "fullTextPaths": [{"path": "/t"}]}),
        ("conflictResolutionPolicy", {"mode": "Custom"}),
        ("conflictResolutionPolicy", {"mode": "LastWriterWins", "conflictResolutionPath": "/n"}),
        ("geospatialConfig", {"type": "Geometry"}),
        ("changeFeedPolicy", {"retentionDuration": 10}),
        ("analyticalStorageTtl", -1),
        ("clientEncryptionPolicy", {"includedPaths": []}),
        ("materializedViewDefinition", {"definition": "SELECT * FROM c"}),
        ("somethingNew", True),
    ],
)
def test_a_policy_without_effect_here_is_rejected_by_name(name: str, value: object) -> None:
    """Better no container than one that silently is another."""
    with pytest.raises(ServiceError, match=f"400.*'{name}'"):
        container_definition({"id": "c", "partitionKey": KEY, name: value})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("uniqueKeyPolicy", {"uniqueKeys": []}),
        ("computedProperties", []),
        ("vectorEmbeddingPolicy", None),
        ("changeFeedPolicy", {"retentionDuration": 0}),
        ("conflictResolutionPolicy", {"mode": "LastWriterWins", "conflictResolutionPath": "/_ts"}),
        ("geospatialConfig", {"type": "Geography"}),
        ("analyticalStorageTtl", 0),
        ("defaultTtl", None),
    ],
)
def test_a_policy_that_says_what_is_so_anyway_is_taken(name: str, value: object) -> None:
    """SDKs send what they read."""
    definition = container_definition({"id": "c", "partitionKey": KEY})

    assert container_definition({"id": "c", "partitionKey": KEY, name: value}) == definition
    assert container_definition({**definition, "_rid": "x"}) == definition


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
    assert request_kind(method, headers) == expected


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
def test_what_is_no_json_is_rejected(text: str | bytes) -> None:
    """Python alone would take some of it."""
    with pytest.raises(ValueError, match=r"."):
        decode(text)


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("9007199254740993", "9007199254740993"),
        ("18446744073709551615", "18446744073709551615"),
        ("-9223372036854775808", "-9223372036854775808"),
        ("18446744073709551616", "1.8446744073709552e+19"),
        ("-9223372036854775809", "-9.223372036854776e+18"),
        ("123456789012345678901234567890", "1.2345678901234568e+29"),
        ("12345678901234567890.123", "1.2345678901234567e+19"),
        ("0.1000000000000000055511151231257827", "0.1"),
        ("1.7976931348623157e308", "1.7976931348623157e+308"),
        ("5e-324", "5e-324"),
        ("1e-400", "0"),
        ("1.0", "1"),
        ("-0.0", "0"),
        ("-0", "0"),
        ("1e2", "100"),
    ],
)
def test_numbers_are_stored_as_the_service_stores_them(text: str, stored: str) -> None:
    """Integers of 64 bits are exact, what is longer is the nearest double."""
    assert encode(decode(text)) == stored


@given(st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False))
def test_what_fits_into_64_bits_is_read_back_as_the_same_number(number: float) -> None:
    """And what was stored once does not change again."""
    stored = encode(decode(json.dumps(number)))

    assert json.loads(stored) == number
    assert encode(decode(stored)) == stored


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
    assert apply_patch({"list": [1]}, [operation]) == expected


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

    assert apply_patch(before, [{"op": "move", "from": source, "path": target}]) == expected


@pytest.mark.parametrize(("source", "target"), [("/none", "/a"), ("/b", "/b/c"), ("/b", "/x/y")])
def test_a_move_that_does_not_fit_is_rejected(source: str, target: str) -> None:
    """A source that is missing, a target inside the source, a target without a parent."""
    with pytest.raises(ServiceError, match="400"):
        apply_patch({"a": 7, "b": {"c": 1}}, [{"op": "move", "from": source, "path": target}])


@pytest.mark.parametrize(("condition", "expected"), [(None, True), ("FROM c WHERE c.n = 2", False)])
def test_a_patch_may_depend_on_the_document(condition: str | None, *, expected: bool) -> None:
    """By the end of a query."""
    assert condition_holds(condition, {"n": 1}) is expected
