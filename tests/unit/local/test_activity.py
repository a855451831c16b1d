"""The output of `local run` while it runs."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator

import pytest
from rich.console import Console

from local.activity import ActivityHandler
from local.host import LEASE

HOST, ENGINE = logging.getLogger("local.host.test"), logging.getLogger("core.test")


@pytest.fixture
def output() -> Iterator[io.StringIO]:
    """Return what is printed where there is no terminal."""
    text = io.StringIO()
    handler = ActivityHandler(Console(file=text, width=40))
    for logger in (HOST, ENGINE):
        logger.setLevel(logging.INFO)
        logger.addHandler(handler)
    yield text
    for logger in (HOST, ENGINE):
        logger.removeHandler(handler)


def lines(output: io.StringIO) -> list[str]:
    """Return the printed lines without their times."""
    printed = output.getvalue().splitlines()
    assert all(line[2] == line[5] == ":" for line in printed)
    return [line[10:] for line in printed]


def test_commands_and_other_changes_are_printed(output: io.StringIO) -> None:
    """Requests that only read are not."""
    for method, path, status in (
        ("POST", "/api/commands/follow", 202),
        ("GET", "/api/projections", 200),
        ("POST", "/api/deadletters/replay", 200),
    ):
        HOST.info(
            "request.completed function=f method=%s path=%s status=%d duration_ms=%.0f",
            *(method, path, status, 1.6),
        )

    assert lines(output) == [
        "command     follow: 202, 2 ms",
        "request     /api/deadletters/replay: 200, 2 ms",
    ]


def test_a_batch_is_printed_with_the_number_of_derived_events(output: io.StringIO) -> None:
    """The records of host and engine are matched by the lease of the batch."""
    for lease, derived in (("0", 5), ("1", 7)):
        token = LEASE.set(("project_a", lease))
        ENGINE.info("batch.projected module=a events=%d derived=%d parked=0", 3, derived)
        LEASE.reset(token)
    for lease in ("1", "0"):
        HOST.info(
            "batch.delivered function=project_a lease_token=%s documents=3 duration_ms=12", lease
        )
    HOST.info("batch.delivered function=other lease_token=0 documents=1 duration_ms=1")

    assert lines(output) == [
        "batch       a, lease 1: 3 events, 7 derived, 12 ms",
        "batch       a, lease 0: 3 events, 5 derived, 12 ms",
        "batch       other, lease 0: 1 event, 1 ms",
    ]


def test_dead_letters_leases_and_timers_are_printed(output: io.StringIO) -> None:
    """In one line each, however long it is."""
    ENGINE.error(
        "event.parked module=a projection=a.b stream_id=s-1 event_id=%s error_type=ValueError",
        "e" * 36,
    )
    HOST.info("lease.acquired function=f lease_token=0 previous_owner=None")
    HOST.info("lease.lost function=f lease_token=0")
    HOST.info("lease.released function=f lease_token=1")
    HOST.info("timer.fired function=tick duration_ms=3")
    HOST.info("something.else function=f")

    assert lines(output) == [
        (
            "dead letter module a  projection a.b  stream_id s-1  "
            f"event_id {'e' * 36}  error_type ValueError"
        ),
        "lease       f, lease 0: acquired",
        "lease       f, lease 0: lost",
        "lease       f, lease 1: released",
        "timer       tick, 3 ms",
    ]
