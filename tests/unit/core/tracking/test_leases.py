"""Leases as the real trigger writes them."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from core.cosmos.key_ranges import KeyRange
from core.tracking.leases import Lease, LeaseFault, LeaseState, lease_prefix

FIXTURES: dict[str, dict[str, Any]] = json.loads(
    (Path(__file__).parents[3] / "fixtures" / "leases.json").read_text(encoding="utf-8")
)
WRITTEN = datetime(2026, 8, 1, 10, 15, 30, 123457, tzinfo=timezone.utc)


def lease(name: str, **changes: Any) -> Lease:
    return Lease.from_document({**FIXTURES[name], **changes})


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
    """The checkpoint of another SDK is kept as it is, and is a fault."""
    parsed = lease(name)

    assert (parsed.token, parsed.owner) == (token, owner)
    assert parsed.checkpoint == FIXTURES[name]["ContinuationToken"]
    assert parsed.faults == ((LeaseFault.TOKEN,) if name == "of_the_java_sdk" else ())


def test_a_new_lease_was_written_when_it_was_stored() -> None:
    """Before the first write by a host its time is the service's."""
    assert lease("never_checkpointed").updated_at == datetime.fromtimestamp(
        1785579320, timezone.utc
    )


UNREADABLE, TIMESTAMP, TOKEN = LeaseFault.UNREADABLE, LeaseFault.TIMESTAMP, LeaseFault.TOKEN


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        pytest.param({"LeaseToken": None}, UNREADABLE, id="no token"),
        pytest.param({"LeaseToken": 7}, UNREADABLE, id="a number for a token"),
        pytest.param({"Owner": {"a": 1}}, UNREADABLE, id="no owner's name"),
        pytest.param({"Mode": "Full-Fidelity Feed"}, UNREADABLE, id="another mode"),
        pytest.param({"FeedRange": "all"}, UNREADABLE, id="no range"),
        pytest.param(
            {"FeedRange": {"Range": {"min": "", "max": 1}}}, UNREADABLE, id="half a range"
        ),
        pytest.param(
            {"FeedRange": {"Range": {"min": "2", "max": "1"}}}, UNREADABLE, id="backwards"
        ),
        pytest.param({"FeedRange": {"Range": {"min": "", "max": "é"}}}, UNREADABLE, id="no hex"),
        pytest.param({"timestamp": "soon"}, TIMESTAMP, id="no time"),
        pytest.param({"timestamp": "2026-99-99T00:00:00Z"}, TIMESTAMP, id="an impossible time"),
        pytest.param({"timestamp": "2026-08-01T10:15:30.Z"}, TIMESTAMP, id="half a second"),
        pytest.param({"timestamp": 1785579330}, TIMESTAMP, id="a number for a time"),
        pytest.param({"ContinuationToken": "garbage"}, TOKEN, id="no number"),
        pytest.param({"ContinuationToken": "1234"}, TOKEN, id="no quotes"),
        pytest.param({"ContinuationToken": '"-1"'}, TOKEN, id="a negative number"),
        pytest.param({"ContinuationToken": 1234}, TOKEN, id="a number for a checkpoint"),
        pytest.param({"ContinuationToken": f'"{9**50}"'}, TOKEN, id="no number of the service"),
    ],
)
def test_what_cannot_be_read_is_named(changes: dict[str, Any], fault: LeaseFault) -> None:
    """And nothing else of the lease, which is read as far as it can be."""
    parsed = lease("owned", **changes)

    assert parsed.faults == (fault,)
    assert (parsed.id, parsed.token) == (FIXTURES["owned"]["id"], "0")


def test_all_that_cannot_be_read_is_named() -> None:
    """One fault does not hide another."""
    parsed = lease("owned", Owner=1, timestamp="soon", ContinuationToken="x")

    assert parsed.faults == (UNREADABLE, TIMESTAMP, TOKEN)


def test_a_time_that_cannot_be_read_is_that_of_the_service() -> None:
    """So that an owner that is alive is not taken for dead."""
    assert lease("owned", timestamp="soon").updated_at == datetime.fromtimestamp(
        1785579330, timezone.utc
    )


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


def test_no_prefix_begins_another() -> None:
    """Two functions with one prefix would take each other's events."""
    assert not lease_prefix("orders_two").startswith(lease_prefix("orders"))
