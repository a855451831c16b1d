from __future__ import annotations

from datetime import datetime, timedelta, timezone
from email.utils import format_datetime

import pytest

from core.cosmos.clock import ServiceClock

TRUE = datetime(2026, 1, 1, 12, 0, 0, 300_000, tzinfo=timezone.utc)


class HostClock:
    """A clock that is wrong by some seconds."""

    def __init__(self, seconds: float) -> None:
        self.true = TRUE
        self.skew = timedelta(seconds=seconds)

    def __call__(self) -> datetime:
        return self.true + self.skew


def respond(host: HostClock, clock: ServiceClock, *, before: float = 0, after: float = 0) -> None:
    """Let a response arrive that was under way for some seconds before and after it was dated."""
    sent_at = host()
    host.true += timedelta(seconds=before)
    date = format_datetime(host.true, usegmt=True)
    host.true += timedelta(seconds=after)
    clock.observe(date, sent_at)


@pytest.mark.parametrize("skew", [0, 1.9, -1.9])
@pytest.mark.parametrize(("before", "after"), [(0, 0), (19, 0), (0, 19), (9, 9)])
def test_a_clock_that_is_nearly_right_is_believed(skew: float, before: float, after: float) -> None:
    """However long a response takes, before or after it was dated."""
    host = HostClock(skew)
    clock = ServiceClock(host)

    respond(host, clock, before=before, after=after)

    assert clock.now() == host()


@pytest.mark.parametrize("skew", [10 * 365 * 86_400, 600, 3.1, -3.1, -600])
def test_a_clock_that_is_wrong_is_corrected_and_reported(
    skew: float, caplog: pytest.LogCaptureFixture
) -> None:
    """To half a second."""
    host = HostClock(skew)
    clock = ServiceClock(host)

    respond(host, clock)

    assert abs(clock.now() - host.true) <= timedelta(seconds=0.5)
    assert len(caplog.messages) == 1
    assert caplog.messages[0].startswith("clock.corrected seconds=")


def test_a_clock_that_is_set_right_is_corrected_again() -> None:
    """The correction goes when its reason has gone."""
    host = HostClock(600)
    clock = ServiceClock(host)
    respond(host, clock)
    host.skew = timedelta()
    host.true += timedelta(seconds=5)

    respond(host, clock)

    assert abs(clock.now() - host.true) <= timedelta(seconds=0.5)


def test_a_request_from_before_the_correction_does_not_undo_it() -> None:
    """Its time of sending is corrected as well."""
    host = HostClock(600)
    clock = ServiceClock(host)
    sent_at = host()
    respond(host, clock)
    host.true += timedelta(seconds=2)

    clock.observe(format_datetime(host.true, usegmt=True), sent_at)

    assert abs(clock.now() - host.true) <= timedelta(seconds=0.5)


def test_a_clock_that_is_set_within_a_second_is_corrected_at_once() -> None:
    """By a response whose date is that of the response before."""
    host = HostClock(600)
    clock = ServiceClock(host)
    respond(host, clock)
    host.skew = timedelta(seconds=-600)

    respond(host, clock, after=0.1)

    assert abs(clock.now() - host.true) <= timedelta(seconds=0.6)


@pytest.mark.parametrize("skew", [-600, 600])
def test_a_request_during_which_the_clock_is_set_does_not_mislead_it(skew: float) -> None:
    """Its time of sending and that of receiving are of two clocks."""
    host = HostClock(-skew)
    clock = ServiceClock(host)
    respond(host, clock)
    sent_at = host()
    host.skew = timedelta(seconds=skew)
    respond(host, clock)

    clock.observe(format_datetime(host.true, usegmt=True), sent_at)

    assert abs(clock.now() - host.true) <= timedelta(seconds=0.5)


@pytest.mark.parametrize("date", ["", "soon"])
def test_a_response_without_a_date_says_nothing(date: str) -> None:
    """A proxy may leave it out."""
    host = HostClock(600)
    clock = ServiceClock(host)

    clock.observe(date, host())

    assert clock.now() == host()
