"""All leases of a module together."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pytest

from core.cosmos.key_ranges import KeyRange
from core.tracking.lease_sets import (
    LeaseSet,
    lease_sets,
    partitions_without_lease,
    split_by_partition,
    without_superseded,
)
from core.tracking.leases import Lease

NOW = datetime(2026, 8, 1, 10, 15, 30, tzinfo=timezone.utc)
RID, STEM = "3FIlAOzjvyg=", "orders-acct.documents.azure.com_3FIlAA==_3FIlAOzjvyg="


def part(start: str, end: str) -> KeyRange:
    return KeyRange(start=start, end=end)


PARTITIONS = (part("", "20"), part("20", "40"), part("40", "FF"))


def document(token: str, start: str, end: str, stem: str = STEM) -> dict[str, Any]:
    span = {"Range": {"min": start, "max": end}}
    return {"id": f"{stem}..{token}", "LeaseToken": token, "FeedRange": span, "Owner": None}


def lease(token: str, start: str, end: str) -> Lease:
    return Lease.from_document(document(token, start, end))


def orders(*documents: dict[str, Any]) -> LeaseSet:
    return lease_sets(documents, RID, PARTITIONS, {}, NOW)["orders"]


@pytest.mark.parametrize(
    ("document_id", "expected"),
    [
        ("orders-acct.documents.azure.com_3FIlAA==_3FIlAOzjvyg=..0", "orders"),
        ("orders-other.name_3FIlAA==_3FIlAOzjvyg=..0", "orders"),
        ("orders-acct_3FIlAA==_3FIlAOzjvyg=..-05C1DF", "orders"),
        ("orders-acct_3FIlAA==_3FIlAOzjvyg=.info", "orders"),
        ("orders_two-acct_3FIlAA==_3FIlAOzjvyg=..0", "orders_two"),
        ("orders-acct_3FIlAA==_3FIlAOold==..0", None),
        ("fanout.4f1e", None),
        ("coverage.orders", None),
        ("-", None),
    ],
)
def test_documents_belong_to_a_module_and_a_container(
    document_id: str, expected: str | None
) -> None:
    """Under whatever name the account was reached; not those of a deleted container."""
    actual = lease_sets([{"id": document_id}], RID, PARTITIONS, {}, NOW)

    assert list(actual) == ([expected] if expected else [])


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
    leases = [lease(name, *spans[name]) for name in present]

    actual = without_superseded(leases, PARTITIONS)

    assert [lease.token for lease in actual] == expected


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
    leases = [lease(str(nth), start, end) for nth, (start, end) in enumerate(ranges)]

    actual = partitions_without_lease(leases, [part("", "40"), part("40", "FF")])

    assert actual == [part(start, end) for start, end in expected]


def test_a_merged_lease_is_one_piece_of_a_partition() -> None:
    """Its own key range counts, not the partition's."""
    assert split_by_partition(lease("-1FFF", "", "1FFF"), [part("", "FF")]) == [part("", "1FFF")]


def test_a_lease_over_a_split_that_nobody_noticed_is_looked_at_in_pieces() -> None:
    """One for each physical partition of today."""
    actual = split_by_partition(
        lease("0", "", "1FFF"), [part("", "0F"), part("0F", "1FFF"), part("1FFF", "FF")]
    )

    assert actual == [part("", "0F"), part("0F", "1FFF")]


@pytest.mark.parametrize(
    ("ranges", "expected"),
    [
        pytest.param([("", "20"), ("20", "FF")], [], id="one each"),
        pytest.param([("", "40"), ("", "20"), ("40", "FF")], [], id="a split goes on"),
        pytest.param([("", "20"), ("", "20"), ("20", "FF")], ["0 1"], id="the same twice"),
        pytest.param([("", "30"), ("20", "FF")], ["0 1"], id="a part of both"),
        pytest.param([("", "20"), ("10", "20"), ("20", "FF")], ["0 1"], id="a part of a partition"),
    ],
)
def test_what_two_leases_cover_is_noticed(
    ranges: list[tuple[str, str]], expected: list[str]
) -> None:
    """Except for a parent and its children, which are there at once for a moment."""
    actual = orders(*(document(str(nth), *span) for nth, span in enumerate(ranges))).covered_twice

    assert [f"{one.token} {other.token}" for one, other in actual] == expected


def test_each_name_of_the_account_has_its_own_leases() -> None:
    """They are told apart, and do not count as covering a range twice."""
    other = STEM.replace("acct", "other")
    actual = orders(document("0", "", "FF"), document("0", "", "FF", stem=other))

    assert actual.hosts == ("acct.documents.azure.com", "other.documents.azure.com")
    assert actual.covered_twice == []


@pytest.mark.parametrize(
    ("documents", "expected"),
    [
        pytest.param([{"id": f"{STEM}.info"}], [f"{STEM}.info"], id="all leases were deleted"),
        pytest.param([{"id": f"{STEM}.info"}, document("0", "", "FF")], [], id="started"),
        pytest.param([{"id": f"{STEM}.lock", "_ts": NOW.timestamp() - 20}], [], id="starting"),
        pytest.param(
            [{"id": f"{STEM}.lock", "_ts": NOW.timestamp() - 400}], [f"{STEM}.lock"], id="stuck"
        ),
    ],
)
def test_what_keeps_the_trigger_from_starting_is_noticed(
    documents: list[dict[str, Any]], expected: list[str]
) -> None:
    """It creates leases only if there is no `.info`, and only while it holds the lock."""
    assert list(orders(*documents).leftovers) == expected


def test_a_lease_without_a_range_is_placed_by_its_partition() -> None:
    """As the first versions of the trigger wrote them, and where the range cannot be read."""
    old = {"id": f"{STEM}..0", "PartitionId": "0"}
    odd = {**document("1", "20", "FF"), "FeedRange": "all"}
    ranges = {"0": part("", "20"), "1": part("20", "FF")}

    actual = lease_sets([old, odd], RID, PARTITIONS, ranges, NOW)["orders"]

    assert [one.range for one in actual.leases] == [part("", "20"), part("20", "FF")]
    assert actual.uncovered == []
