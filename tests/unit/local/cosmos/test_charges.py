"""Request charges, compared with what an account in Azure was recorded to charge."""

from __future__ import annotations

import json
from typing import Any

import pytest

from local.cosmos import charges
from local.cosmos.indexing import IndexedPaths
from local.cosmos.indexing_policy import normalize_indexing_policy

KB = 1024
D1 = {"id": "d1", "pk": "a", "n": 1, "s": "x1"}
NUMBERS = dict.fromkeys(map(str, range(12)), 1) | {"id": "nums", "pk": "t"}
TYPES = json.loads(
    '{"id":"ty1","pk":"t","i":42,"f":1.5,"t":true,"fa":false,"nu":null,"s":"h","arr":[1,"a",null,[2]],'
    '"obj":{"a":{"b":1}},"emp":"","ea":[],"eo":{},"ts":"t","dt":"d","tm":"t","uuid":"u","b64":"A=",'
    '"dec":"1.2"}'
)
DEFAULT = IndexedPaths(normalize_indexing_policy(None))


@pytest.mark.parametrize(
    ("document", "recorded"),
    [
        ({"id": "b9", "pk": "b"}, 5.90),
        ({"id": "b1", "pk": "b", "n": 10}, 6.29),
        (D1, 6.67),
        ({"id": "rp4-400", "pk": "p4", "n": 400, "grp": 1, "txt": "row 400"}, 7.05),
        (NUMBERS, 10.48),
        (TYPES, 14.29),
    ],
)
def test_a_create_costs_what_an_account_charged(document: dict[str, Any], recorded: float) -> None:
    """Under the default policy."""
    assert round(charges.write(400, DEFAULT.count(document)), 2) == recorded


@pytest.mark.parametrize(
    ("before", "after", "recorded"),
    [
        (D1, {**D1, "n": 100}, 10.67),
        (D1, {**D1, "n": 5, "s": "y"}, 11.05),
        (TYPES, {"id": "ty1", "pk": "t", "i": 43}, 18.67),
        (D1, D1, 10.29),
    ],
)
def test_a_replace_costs_what_an_account_charged(
    before: dict[str, Any], after: dict[str, Any], recorded: float
) -> None:
    """By the terms that differ."""
    assert round(charges.replace(400, DEFAULT.count_changes(before, after)), 2) == recorded


@pytest.mark.parametrize(
    ("charge", "published"),
    [
        pytest.param(charges.read(1), 1, id="a small read"),
        pytest.param(charges.read(KB), 1, id="a read of 1 KB"),
        pytest.param(charges.read(100 * KB), 10, id="a read of 100 KB"),
        pytest.param(charges.write(KB, 0), 5, id="a write of 1 KB without an index"),
        pytest.param(charges.write(100 * KB, 0), 50, id="a write of 100 KB without an index"),
        pytest.param(charges.replace(KB, 0), 10, id="replacing costs twice that"),
    ],
)
def test_charges_are_near_those_that_microsoft_publishes(charge: float, published: float) -> None:
    """Within a twentieth."""
    assert charge == pytest.approx(published, rel=0.05)


@pytest.mark.parametrize("charge", [charges.read, lambda size: charges.write(size, 3)])
def test_charges_grow_with_the_size(charge: Any) -> None:
    """Without steps, and not below 1 KB."""
    sizes = [charge(size) for size in range(0, 200 * KB, 100)]

    assert sizes == sorted(sizes)
    assert charge(1) == charge(KB) < charge(KB + 64)


def test_pages_follow_the_model() -> None:
    """As written down beside it."""
    assert charges.feed(0) == charges.feed(300) == 1.0  # the latter as an account charged it
    assert charges.feed(11 * KB) == pytest.approx(2.0)
    assert charges.query(100, 1024) == pytest.approx(5.03)
