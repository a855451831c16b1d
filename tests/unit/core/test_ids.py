from __future__ import annotations

import json
from typing import Any
from uuid import UUID, uuid5

import pytest
from hypothesis import given
from hypothesis.strategies import integers, text

from core.ids import (
    dead_letter_id,
    derived_event_id,
    fan_out_progress_id,
    is_own_id,
    key_id,
    own_event_id,
    own_event_position,
)

SOURCE: dict[str, Any] = {
    "projection": "followship.followers",
    "source_stream": "followship-1",
    "source_id": "e1",
    "event_type": "WasFollowed",
    "stream": "followship-2",
    "ordinal": 0,
}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        pytest.param({}, "93a5fde1-caa7-5fa3-8a5d-806819e40eaa", id="as it is"),
        pytest.param(
            {"ordinal": 1}, "e1ada86f-efd5-5a67-aad4-b258100d2aac", id="the next of its kind"
        ),
        pytest.param(
            {"source_stream": "followship-3"},
            "864d63ef-3a76-5be7-bf6a-d3b8258fc649",
            id="same id, other stream",
        ),
        pytest.param(
            {"source_id": "e2"}, "08957a82-43ee-54d5-bb7c-34d478e4ffc7", id="another source"
        ),
        pytest.param(
            {"projection": "followship.others"},
            "c74b7027-f098-5590-8eb1-7363e6cc9997",
            id="another projection",
        ),
        pytest.param(
            {"stream": "followship-Zoë"}, "6790a517-cd29-5d02-ae7b-de8033b34af8", id="beyond ASCII"
        ),
    ],
)
def test_derived_ids_are_frozen(change: dict[str, Any], expected: str) -> None:
    """A changed id would double every derived event that is stored already."""
    assert derived_event_id(**{**SOURCE, **change}) == expected


@given(text(), text(), integers(0, 2**53))
def test_derived_ids_are_uuids_of_version_5(stream: str, source_id: str, ordinal: int) -> None:
    """RFC 9562, section 5.5, over compact JSON."""
    event_id = derived_event_id(
        **{**SOURCE, "stream": stream, "source_id": source_id, "ordinal": ordinal}
    )
    parts = ["followship.followers", "followship-1", source_id, "WasFollowed", stream, ordinal]
    canonical = json.dumps(parts, ensure_ascii=False, separators=(",", ":"))

    assert event_id == str(uuid5(UUID("6f1c4b52-6a53-5a0f-9d0e-2f7f9d1f3c01"), canonical))


def test_ids_of_own_events_and_keys_are_frozen() -> None:
    """Every version has to find what the others stored."""
    assert own_event_id(12) == "n000000000012"
    assert key_id("k") == "k8254c329a92850f6d539dd376f4816ee"


@given(integers(0, 10**12 - 1), integers(0, 10**12 - 1))
def test_own_ids_sort_by_their_positions(first: int, second: int) -> None:
    """So the highest id has the highest position; and no other id of the engine is as high."""
    ids = own_event_id(first), own_event_id(second)

    assert (ids[0] < ids[1]) == (first < second)
    assert own_event_position(ids[0]) == first
    assert key_id(ids[0]) < ids[1]
    assert derived_event_id(**SOURCE) < ids[0] < "n:"


@pytest.mark.parametrize("event_id", ["n12", "n0000000000123", "n00000000001x"])
def test_an_id_that_looks_like_an_own_one_has_no_position(event_id: str) -> None:
    """It is of another program."""
    assert own_event_position(event_id) is None
    assert is_own_id(event_id)


@pytest.mark.parametrize("event_id", ["", "n", "nx1", "k1", "order-1"])
def test_other_ids_are_free(event_id: str) -> None:
    """Another program may give them."""
    assert not is_own_id(event_id)


@pytest.mark.parametrize(
    ("projection", "stream", "event_id", "expected"),
    [
        pytest.param(
            "followship.followers",
            "followship-1",
            "e1",
            "898badb3-914b-515b-be43-9c58633e5e1f",
            id="a projection",
        ),
        pytest.param(
            None,
            "followship-1",
            "e1",
            "3f9fb197-521c-54b5-96b8-ae890ca88da7",
            id="an unreadable event",
        ),
        pytest.param(
            None,
            None,
            {"odd": [1, None]},
            "9c00fb07-be2e-563e-8d53-7e644f29edb7",
            id="no event at all",
        ),
    ],
)
def test_dead_letter_ids_are_frozen(
    projection: str | None, stream: object, event_id: object, expected: str
) -> None:
    """Parking again must find the dead letter of the first time."""
    letter_id = dead_letter_id(
        module="followship", projection=projection, source_stream=stream, source_id=event_id
    )

    assert letter_id == expected


def test_cursor_ids_begin_with_no_lease_prefix() -> None:
    """A module's leases begin with its name and a dash; names have no dot."""
    progress_id = fan_out_progress_id(projection="p", source_stream="s", source_id="i")

    assert progress_id == "fanout.28dcc271-eeff-5c8f-a92a-c29371fde606"
    assert "." in progress_id.partition("-")[0]


def test_a_dead_letter_has_an_id_whatever_the_document_holds() -> None:
    """Half of a surrogate pair is not the text of its escape."""
    ids = {
        dead_letter_id(module="m", projection=None, source_stream="s", source_id=source_id)
        for source_id in ("\ud800", "\\ud800", "\ufffd", ["\ud800"], {"\udfff": None})
    }

    assert len(ids) == 5
