"""Partition keys and where they lie, compared with what the SDK computes."""

from __future__ import annotations

from typing import Any

import pytest
from azure.cosmos import PartitionKey
from azure.cosmos.partition_key import NonePartitionKeyValue
from hypothesis import given
from hypothesis import strategies as st

from local.cosmos.errors import ServiceError
from local.cosmos.partitions import (
    partition_key,
    partition_key_from_document,
    partition_key_from_header,
)
from local.cosmos.rids import container_bytes, container_rid, database_rid, item_rid

SCALARS = (
    st.text(st.characters(exclude_categories=["Cs"]), max_size=500)
    | st.booleans()
    | st.none()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False).filter(lambda number: number != 0)
)


@given(SCALARS)
def test_effective_keys_are_those_of_the_sdk(value: Any) -> None:
    """Whatever the key's type."""
    expected = PartitionKey("/pk")._get_epk_range_for_partition_key(value)

    assert partition_key(value).epk == expected.min


def test_a_document_without_the_property_has_a_key_too() -> None:
    """The SDK writes it as an empty object."""
    expected = PartitionKey("/pk")._get_epk_range_for_partition_key(NonePartitionKeyValue)

    assert partition_key_from_document(("pk",), {"id": "1"}).epk == expected.min
    assert (
        partition_key_from_document(("pk",), {})
        == partition_key_from_header("[{}]")
        != partition_key(None)
    )


@pytest.mark.parametrize(("one", "other"), [(1, 1.0), (0.0, -0.0), (10**20, 1e20)])
def test_equal_numbers_are_one_key(one: float, other: float) -> None:
    """However they are written."""
    assert partition_key(one) == partition_key(other)


@pytest.mark.parametrize(("one", "other"), [(1, True), (0, False), ("1", 1), ("null", None)])
def test_values_of_different_types_are_different_keys(one: object, other: object) -> None:
    """Python would take some of them for equal."""
    assert partition_key(one) != partition_key(other)


def test_a_key_may_lie_deeper_in_the_document() -> None:
    """`/a/b`."""
    assert partition_key_from_document(("a", "b"), {"a": {"b": "x"}}) == partition_key("x")
    assert partition_key_from_document(("a", "b"), {"a": "x"}) == partition_key({})


@pytest.mark.parametrize(
    ("header", "told"),
    [(None, "has fewer components"), ("[]", "has fewer"), ('["a","b"]', "has more components")],
)
def test_a_key_has_one_component(header: str | None, told: str) -> None:
    """400/1001 in the service's words, without a charge."""
    with pytest.raises(ServiceError, match=told) as caught:
        partition_key_from_header(header)

    assert (caught.value.status, caught.value.sub_status, caught.value.charge) == (400, 1001, 0)


@pytest.mark.parametrize("header", ["", "x", '"a"', "[[1]]", '[{"a":1}]'])
def test_anything_else_in_the_header_is_rejected(header: str) -> None:
    """400."""
    with pytest.raises(ServiceError) as caught:
        partition_key_from_header(header)

    assert (caught.value.status, caught.value.sub_status) == (400, 0)


@pytest.mark.parametrize("value", [{}, {"a": 1}, ["a"], []])
def test_an_object_or_array_at_the_path_counts_as_undefined(value: object) -> None:
    """The SDKs extract the same key."""
    assert partition_key_from_document(("pk",), {"pk": value}) == partition_key_from_document(
        ("pk",), {}
    )


@pytest.mark.parametrize("value", [10**400, "x" * 2049])
def test_what_cannot_be_a_key_is_rejected_in_documents(value: object) -> None:
    """What is too large."""
    with pytest.raises(ServiceError) as caught:
        partition_key_from_document(("pk",), {"pk": value})

    assert caught.value.status == 400


def test_resource_ids_have_the_services_form() -> None:
    """4, 8 and 16 bytes in Base64, without the slash that paths could not take."""
    item = item_rid(container_bytes(1, 2), 0xFFFF)

    assert database_rid(1) == "HQAAAQ=="
    assert container_rid(1, 2) == "HQAAAYAAAAI="
    assert item == "HQAAAYAAAAL--wAAAAAAAA=="
