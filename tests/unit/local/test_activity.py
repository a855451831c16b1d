"""What `local run` says while it runs."""

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
def said() -> Iterator[io.StringIO]:
    """What is printed where there is no terminal."""
    text = io.StringIO()
    handler = ActivityHandler(Console(file=text, width=40))
    for logger in (HOST, ENGINE):
        logger.setLevel(logging.INFO)
        logger.addHandler(handler)
    yield text
    for logger in (HOST, ENGINE):
        logger.removeHandler(handler)


def lines(said: io.StringIO) -> list[str]:
    """The lines without their times."""
    found = said.getvalue().splitlines()
    assert all(line[2] == line[5] == ":" for line in found)
    return [line[10:] for line in found]


def test_commands_and_other_changes_are_told(said: io.StringIO) -> None:
    """What only reads is not."""
    for method, path, status in (
        ("POST", "/api/commands/follow", 202),
        ("GET", "/api/projections", 200),
        ("POST", "/api/deadletters/replay", 200),
    ):
        HOST.info(
            "request.answered function=f method=%s path=%s status=%d ms=%.0f",
            *(method, path, status, 1.6),
        )

    assert lines(said) == [
        "command     follow: 202, 2 ms",
        "request     /api/deadletters/replay: 200, 2 ms",
    ]


def test_a_batch_is_told_with_what_the_engine_derived(said: io.StringIO) -> None:
    """By the lease whose batch it was, though two logs tell of it."""
    for lease, derived in (("0", 5), ("1", 7)):
        token = LEASE.set(("project_a", lease))
        ENGINE.info("batch.projected module=a events=%d derived=%d parked=0", 3, derived)
        LEASE.reset(token)
    for lease in ("1", "0"):
        HOST.info("batch.delivered function=project_a lease=%s documents=3 ms=12", lease)
    HOST.info("batch.delivered function=other lease=0 documents=1 ms=1")

    assert lines(said) == [
        "batch       a, lease 1: 3 events, 7 derived, 12 ms",
        "batch       a, lease 0: 3 events, 5 derived, 12 ms",
        "batch       other, lease 0: 1 event, 1 ms",
    ]


def test_dead_letters_leases_and_timers_are_told(said: io.StringIO) -> None:
    """In one line each, however long it is."""
    ENGINE.error("event.parked projection=a.b stream=s-1 event=%s error=ValueError", "e" * 36)
    HOST.info("lease.acquired function=f lease=0 from=None")
    HOST.info("lease.lost function=f lease=0")
    HOST.info("lease.released function=f lease=1")
    HOST.info("timer.fired function=tick ms=3")
    HOST.info("something.else function=f")

    assert lines(said) == [
        f"dead letter projection a.b  stream s-1  event {'e' * 36}  error ValueError",
        "lease       f, lease 0: won",
        "lease       f, lease 0: lost",
        "lease       f, lease 1: released",
        "timer       tick, 3 ms",
    ]
