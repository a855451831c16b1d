"""Leases as the real trigger writes them."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from core.cosmos.key_ranges import KeyRange
from core.errors import LeaseFormatError
from core.tracking.leases import (
    Lease,
    LeaseState,
    is_lease_of,
    lease_prefix,
    partitions_without_lease,
    split_by_partition,
    without_superseded,
)

FIXTURES: dict[str, dict[str, Any]] = json.loads(
    (Path(__file__).parents[3] / "fixtures" / "leases.json").read_text(encoding="utf-8")
)
WRITTEN = datetime(2026, 8, 1, 10, 15, 30, 123457, tzinfo=timezone.utc)


def lease(name: str, **changes: Any) -> Lease:
    document = Lease.from_document({**FIXTURES[name], **changes})
    assert document is not None
    return document


def part(start: str, end: str) -> KeyRange:
    return KeyRange(start=start, end=end)


def test_an_owned_lease_is_read_whole() -> None:
    """In the form that the trigger creates today."""
    assert lease("owned") == Lease(
        id="orders-acct.documents.azure.com_3FIlAA==_3FIlAOzjvyg=..0",
        token="0",
        range=part("", "1FFF"),
        owner="6f0f6f0e-3c1e-4f0e-9d57-0d2f3f5d9a10",
        checkpoint='"1234"',
        updated_at=WRITTEN,
    )


@pytest.mark.parametrize(
    ("name", "token", "owner"),
    [
        ("owned", "0", "6f0f6f0e-3c1e-4f0e-9d57-0d2f3f5d9a10"),
        ("released", "1", None),
        ("never_checkpointed", "2", None),
        ("merged", "-1FFF", None),
        ("of_the_old_library", "7", "HOST-1"),
        ("of_the_java_sdk", "-FF", "java-host"),
    ],
)
def test_every_documented_form_is_read(name: str, token: str, owner: str | None) -> None:
    """A token that is no LSN is kept as it is."""
    parsed = lease(name)

    assert (parsed.token, parsed.owner) == (token, owner)
    assert parsed.checkpoint == FIXTURES[name]["ContinuationToken"]


@pytest.mark.parametrize("name", ["info", "lock"])
def test_the_triggers_other_documents_are_no_leases(name: str) -> None:
    """They hold no token."""
    assert Lease.from_document(FIXTURES[name]) is None


def test_a_new_lease_was_written_when_it_was_stored() -> None:
    """Before the first write by a host its time is the service's."""
    assert lease("never_checkpointed").updated_at == datetime.fromtimestamp(
        1785579320, timezone.utc
    )


def test_an_odd_time_is_an_error() -> None:
    """It is not taken for long ago."""
    with pytest.raises(LeaseFormatError, match="has the time 'soon'"):
        lease("owned", timestamp="soon")


@pytest.mark.parametrize(
    ("owner", "seconds", "expected"),
    [
        pytest.param("me", 59, LeaseState.ACTIVE, id="renewed lately"),
        pytest.param("me", 61, LeaseState.EXPIRED, id="not renewed"),
        pytest.param(None, 1, LeaseState.UNOWNED, id="no owner"),
        pytest.param(" ", 1, LeaseState.UNOWNED, id="blank owner"),
    ],
)
def test_a_lease_is_alive_while_it_is_renewed(
    owner: str | None, seconds: int, expected: LeaseState
) -> None:
    """The trigger's expiration is 60 seconds."""
    parsed = lease("owned", Owner=owner)

    assert parsed.state(WRITTEN + timedelta(seconds=seconds)) is expected


@pytest.mark.parametrize(
    ("lease_id", "expected"),
    [
        ("orders-acct.documents.azure.com_3FIlAA==_3FIlAOzjvyg=..0", True),
        ("orders-other.name_3FIlAA==_3FIlAOzjvyg=..0", True),
        ("orders-acct_3FIlAA==_3FIlAOzjvyg=..-05C1DF", True),
        ("orders-acct_3FIlAA==_3FIlAOold==..0", False),
        ("orders_two-acct_3FIlAA==_3FIlAOzjvyg=..0", False),
        ("orders-acct_3FIlAA==_3FIlAOzjvyg=.info", False),
    ],
)
def test_leases_belong_to_a_module_and_a_container(lease_id: str, *, expected: bool) -> None:
    """Under whatever name the account was reached; not those of a deleted container."""
    assert is_lease_of(lease_id, "orders", "3FIlAOzjvyg=") is expected


def test_no_prefix_begins_another() -> None:
    """Two functions with one prefix would take each other's events."""
    assert not lease_prefix("orders_two").startswith(lease_prefix("orders"))


@pytest.mark.parametrize(
    ("present", "expected"),
    [
        pytest.param(["parent"], ["parent"], id="before a split"),
        pytest.param(["parent", "left"], ["parent", "left"], id="one child is there"),
        pytest.param(["parent", "left", "right"], ["left", "right"], id="both children are there"),
        pytest.param(["left", "right"], ["left", "right"], id="after a split"),
    ],
)
def test_a_parent_is_left_out_once_its_children_are_there(
    present: list[str], expected: list[str]
) -> None:
    """A split creates the children before it deletes the parent."""
    spans = {"parent": ("", "40"), "left": ("", "20"), "right": ("20", "40")}
    leases = [
        lease(
            "owned",
            id=f"x..{name}",
            LeaseToken=name,
            FeedRange={"Range": dict(zip(("min", "max"), spans[name], strict=True))},
        )
        for name in present
    ]

    remaining = without_superseded(leases, [part("", "20"), part("20", "40"), part("40", "FF")])

    assert [lease.token for lease in remaining] == expected


@pytest.mark.parametrize(
    ("ranges", "expected"),
    [
        pytest.param([("", "40"), ("40", "FF")], [], id="one each"),
        pytest.param([("", "FF")], [], id="one over both"),
        pytest.param([("20", "40"), ("", "20"), ("40", "FF")], [], id="two on one"),
        pytest.param([("", "40")], [("40", "FF")], id="one is missing"),
        pytest.param([("", "20"), ("40", "FF")], [("", "40")], id="half is missing"),
        pytest.param([("", "20"), ("21", "FF")], [("", "40")], id="a gap"),
        pytest.param([], [("", "40"), ("40", "FF")], id="none"),
    ],
)
def test_a_partition_without_a_lease_is_noticed(
    ranges: list[tuple[str, str]], expected: list[tuple[str, str]]
) -> None:
    """Nobody reads it, though every lease there is may be caught up."""
    leases = [
        lease("owned", LeaseToken=str(nth), FeedRange={"Range": {"min": start, "max": end}})
        for nth, (start, end) in enumerate(ranges)
    ]

    missing = partitions_without_lease(leases, [part("", "40"), part("40", "FF")])

    assert missing == [part(start, end) for start, end in expected]


def test_a_merged_lease_is_one_piece_of_a_partition() -> None:
    """Its own key range counts, not the partition's."""
    assert split_by_partition(lease("merged"), [part("", "FF")]) == [part("", "1FFF")]


def test_a_lease_over_a_split_that_nobody_noticed_is_looked_at_in_pieces() -> None:
    """One for each physical partition of today."""
    parts = split_by_partition(
        lease("owned"), [part("", "0F"), part("0F", "1FFF"), part("1FFF", "FF")]
    )

    assert parts == [part("", "0F"), part("0F", "1FFF")]
