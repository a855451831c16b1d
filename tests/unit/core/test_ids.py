from __future__ import annotations

import json
from typing import Any
from uuid import UUID, uuid5

import pytest
from hypothesis import given
from hypothesis.strategies import integers, text

from core.ids import (
    command_event_id,
    correlation_id,
    dead_letter_id,
    derived_event_id,
    fan_out_progress_id,
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


def test_command_ids_are_frozen() -> None:
    """A client may repeat a request over releases of the application."""
    event_id = command_event_id(
        command="follow", key="k", event_type="Followed", stream="followship-1", ordinal=0
    )

    assert event_id == "bc22df48-ad88-5eef-91a0-13c2c890368b"
    assert correlation_id(command="follow", key="k") == "14a2b725-ef22-5a18-85ee-44b541c4715c"


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
