from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.model.times import STEP, canonical_time, format_time, next_time, parse_time
from local.host.dates import rewrite_date

MOMENTS = st.datetimes(timezones=st.just(timezone.utc))


@pytest.mark.parametrize(
    ("spelling", "canonical"),
    [
        ("2026-01-02T10:00:00.123450Z", "2026-01-02T10:00:00.123450Z"),
        ("2026-01-02T10:00:00.12345Z", "2026-01-02T10:00:00.123450Z"),
        ("2026-01-02T10:00:00.1Z", "2026-01-02T10:00:00.100000Z"),
        ("2026-01-02T10:00:00Z", "2026-01-02T10:00:00.000000Z"),
        ("2026-01-02T10:00:00.123456Z", "2026-01-02T10:00:00.123450Z"),
        ("2026-01-02T10:00:00.1234567Z", "2026-01-02T10:00:00.123450Z"),
        ("2026-01-02T10:00:00.000009Z", "2026-01-02T10:00:00.000000Z"),
        ("2026-01-02T10:00:00+00:00", "2026-01-02T10:00:00.000000Z"),
        ("2026-01-02T10:00:00.5+02:00", "2026-01-02T08:00:00.500000Z"),
        ("2026-01-01T23:30:00-01:00", "2026-01-02T00:30:00.000000Z"),
        ("2024-02-29T00:00:00Z", "2024-02-29T00:00:00.000000Z"),
        ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00.000000Z"),
        ("9999-12-31T23:59:59.9999999Z", "9999-12-31T23:59:59.999990Z"),
    ],
)
def test_a_time_has_one_form(spelling: str, canonical: str) -> None:
    """Whatever the trigger hands over."""
    assert canonical_time(spelling) == canonical


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        "2026-01-02",
        "2026-01-02T10:00:00",
        "2026-01-02 10:00:00Z",
        "2026-01-02T10:00Z",
        "2026-01-02T10:00:00.Z",
        "2026-01-02T10:00:00.12345678Z",
        "2026-01-02T10:00:00,5Z",
        "2026-01-02T10:00:00z",
        "2026-01-02T10:00:00+0200",
        "2026-01-02T10:00:00Z\n",
        " 2026-01-02T10:00:00Z",
        "\uff12\uff10\uff12\uff16-01-02T10:00:00Z",
        "2026-99-99T00:00:00Z",
        "2026-02-29T00:00:00Z",
        "2026-01-02T24:00:00Z",
        "2026-01-02T10:60:00Z",
        "2026-01-02T10:00:60Z",
        "2026-01-02T10:00:00+24:00",
        "0000-01-01T00:00:00Z",
        "0001-01-01T00:00:00+01:00",
        "9999-12-31T23:59:59-01:00",
        "2026-01-02T10:00:00.\ud800Z",
        "2" * 2_000_000,
    ],
)
def test_what_is_not_a_time_is_an_error(text: str) -> None:
    """The text is not quoted, as it may be large."""
    with pytest.raises(ValueError, match=r"^(a time is written like .*|no such day .*)$"):
        parse_time(text)


def test_the_zone_of_a_moment_does_not_matter() -> None:
    """Events store UTC."""
    moment = datetime(2026, 1, 1, 1, tzinfo=timezone(timedelta(hours=1)))

    assert format_time(moment) == "2026-01-01T00:00:00.000000Z"


@pytest.mark.parametrize(
    ("text", "following"),
    [
        ("2026-02-29T00:00:00.000000Z", "2026-02-28T00:00:00.000000Z"),
        ("2026-01-02T24:00:00.000000Z", "2026-01-02T23:00:00.000000Z"),
        ("0000-01-01T00:00:00.000000Z", "0001-01-01T00:00:00.000000Z"),
    ],
)
def test_the_form_alone_makes_no_time(text: str, following: str) -> None:
    """Whatever was read before, and however often."""
    for _ in range(2):
        with pytest.raises(ValueError, match="no such day"):
            canonical_time(text)
        assert canonical_time(following) == following


@given(MOMENTS, MOMENTS)
def test_times_sort_as_text(one: datetime, other: datetime) -> None:
    """Two moments that differ by 10 microseconds or more are never equal."""
    if other - one >= STEP:
        assert format_time(one) < format_time(other)
    elif one <= other:
        assert format_time(one) <= format_time(other)


@given(MOMENTS)
def test_a_host_that_rewrites_dates_changes_every_time(moment: datetime) -> None:
    """The form shows what was done to it, and the time can be restored."""
    rewritten = rewrite_date(format_time(moment))

    assert rewritten != format_time(moment)
    assert canonical_time(rewritten) == format_time(moment)


NOW = datetime(2026, 1, 2, 10, microsecond=123_456, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    ("earlier", "expected"),
    [
        ((), "2026-01-02T10:00:00.123450Z"),
        (("2026-01-02T09:00:00.000000Z",), "2026-01-02T10:00:00.123450Z"),
        (("2026-01-02T10:00:00.123440Z",), "2026-01-02T10:00:00.123450Z"),
        (("2026-01-02T10:00:00.123450Z",), "2026-01-02T10:00:00.123460Z"),
        (("2026-01-02T10:00:00.123459Z",), "2026-01-02T10:00:00.123460Z"),
        (
            ("2026-01-02T10:00:00.12345Z", "2026-01-02T11:30:00+01:00"),
            "2026-01-02T10:30:00.000010Z",
        ),
    ],
)
def test_the_next_time_is_after_all_others(earlier: tuple[str, ...], expected: str) -> None:
    """Clocks of hosts differ, and a command may take less than 10 microseconds."""
    assert next_time(NOW, *earlier) == expected


@pytest.mark.parametrize("last", ["9999-12-31T23:59:59.999990Z", "9999-12-31T23:59:59.999999Z"])
def test_no_time_comes_after_the_last_one(last: str) -> None:
    """The error says so."""
    with pytest.raises(ValueError, match="year 9999"):
        next_time(NOW, last)
