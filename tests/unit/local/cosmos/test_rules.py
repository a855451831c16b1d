"""The pure rules of the embedded Cosmos DB."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from local.cosmos.auth import signature, signed_resource, signing_key
from local.cosmos.errors import ServiceError
from local.cosmos.partitions import effective_partition_key, split_evenly
from local.cosmos.patches import apply_patch
from local.cosmos.throughput_limiter import ThroughputLimiter
from tests.support import FakeTime


def test_a_limiter_holds_one_seconds_worth_and_refills() -> None:
    """A request may overdraw it; the next one waits exactly until it is positive again."""
    clock = FakeTime()
    limiter = ThroughputLimiter(100.0, clock)

    assert limiter.retry_after_ms() == 0
    limiter.charge(150.0)
    assert limiter.retry_after_ms() == 501
    clock.now += 0.501
    assert limiter.retry_after_ms() == 0
    clock.now += 60
    assert limiter.retry_after_ms() == 0
    limiter.charge(100.0)
    assert limiter.retry_after_ms() == 1


def test_without_a_rate_there_is_no_limit() -> None:
    """The default."""
    limiter = ThroughputLimiter(None, FakeTime())
    limiter.charge(1e9)

    assert limiter.retry_after_ms() == 0


@pytest.mark.parametrize("count", [1, 2, 3, 4, 7, 16, 64])
def test_partitions_cover_the_key_space_without_gaps(count: int) -> None:
    """Each key has exactly one."""
    ranges = split_evenly(count)

    assert (ranges[0].minimum, ranges[-1].maximum) == ("", "FF")
    assert all(a.maximum == b.minimum for a, b in pairwise(ranges))
    for number in range(100):
        key = effective_partition_key(f"s{number}")
        assert sum(key_range.contains(key) for key_range in ranges) == 1


def test_borders_of_partitions_are_those_of_the_service() -> None:
    """Each is a multiple of the first one, rounded down; SDKs' own tests know those of five."""
    borders = [partition.minimum for partition in split_evenly(5)]

    assert borders[1] == "0CCCCCCCCCCCCCCCCCCCCCCCCCCCCCCC"
    assert borders[4] == "33333333333333333333333333333330"
    assert split_evenly(2)[1].minimum == "1FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF"


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/", ("", "")),
        ("/dbs", ("dbs", "")),
        ("/dbs/d", ("dbs", "dbs/d")),
        ("/dbs/d/colls", ("colls", "dbs/d")),
        ("/dbs/d/colls/c/docs", ("docs", "dbs/d/colls/c")),
        ("/dbs/d/colls/c/docs/x/", ("docs", "dbs/d/colls/c/docs/x")),
    ],
)
def test_what_is_signed_follows_from_the_path(path: str, expected: tuple[str, str]) -> None:
    """A list's link is that of its parent."""
    assert signed_resource(path) == expected


@pytest.mark.parametrize(
    "authorization",
    ["", "nonsense", "type%3Dmaster%26ver%3D1.0%26sig%3Dwrong", "type%3Daad%26ver%3D1.0%26sig%3Dx"],
)
def test_other_signatures_are_rejected(authorization: str) -> None:
    """401."""
    with pytest.raises(ServiceError) as caught:
        signing_key([b"key"], "GET", "/dbs", "now", authorization)

    assert caught.value.status == 401


def test_a_signature_is_for_one_request_only() -> None:
    """Verb, resource and date are part of it."""
    keys = {
        signature(b"key", *request)
        for request in (("GET", "/dbs", "a"), ("POST", "/dbs", "a"), ("GET", "/dbs/x", "a"))
    }

    assert len(keys) == 3


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        ({"op": "add", "path": "/list/0", "value": 9}, {"n": 1, "list": [9, 1, 2], "o": {"x": 1}}),
        ({"op": "set", "path": "/list/0", "value": 9}, {"n": 1, "list": [9, 2], "o": {"x": 1}}),
        ({"op": "replace", "path": "/o/x", "value": 2}, {"n": 1, "list": [1, 2], "o": {"x": 2}}),
        ({"op": "remove", "path": "/o/x"}, {"n": 1, "list": [1, 2], "o": {}}),
        ({"op": "incr", "path": "/n", "value": -3}, {"n": -2, "list": [1, 2], "o": {"x": 1}}),
        (
            {"op": "add", "path": "/o/a~1b", "value": 2},
            {"n": 1, "list": [1, 2], "o": {"x": 1, "a/b": 2}},
        ),
    ],
)
def test_patches_change_a_copy(operation: dict[str, Any], expected: dict[str, Any]) -> None:
    """The document itself stays."""
    document = {"n": 1, "list": [1, 2], "o": {"x": 1}}

    assert apply_patch(document, [operation]) == expected
    assert document == {"n": 1, "list": [1, 2], "o": {"x": 1}}


@pytest.mark.parametrize(
    "operations",
    [
        None,
        [],
        [{"op": "set", "path": "/n", "value": 1}] * 11,
        [{"op": "set", "path": "/n"}],
        [{"op": "copy", "path": "/n"}],
        [{"op": "set", "path": "n"}],
        [{"op": "replace", "path": "/none", "value": 1}],
        [{"op": "set", "path": "/none/x", "value": 1}],
        [{"op": "incr", "path": "/text", "value": 1}],
        [{"op": "add", "path": "/text/0", "value": 1}],
    ],
)
def test_unusable_patches_are_rejected(operations: object) -> None:
    """400."""
    with pytest.raises(ServiceError) as caught:
        apply_patch({"n": 1, "text": "x"}, operations)

    assert caught.value.status == 400
