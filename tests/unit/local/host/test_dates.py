"""Dates as the Cosmos DB extension hands them over."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.host.dates import rewrite_date, rewrite_dates


@pytest.mark.parametrize(
    ("stored", "handed_over"),
    [
        ("2026-01-01T00:00:00.000010Z", "2026-01-01T00:00:00.00001Z"),
        ("2026-01-01T00:00:00.000000Z", "2026-01-01T00:00:00Z"),
        ("2026-01-01T10:00:00+02:00", "2026-01-01T08:00:00+00:00"),
        ("/Date(1700000000000)/", "2023-11-14T22:13:20Z"),
        ("2026-01-01T24:00:00Z", "2026-01-02T00:00:00Z"),
        ("2026-01-01T24:00:00.000Z", "2026-01-02T00:00:00Z"),
        ("2025-12-31T23:30:00.1230-01:45", "2026-01-01T01:15:00.123+00:00"),
        ("2026-01-01T00:00:00.1234500", "2026-01-01T00:00:00.12345"),
        ("2024-02-29T24:00:00+00:00", "2024-03-01T00:00:00+00:00"),
        ("0001-01-01T00:00:00.5+02:00", "0001-01-01T00:00:00+00:00"),
        ("9999-12-31T23:59:59-02:00", "9999-12-31T23:59:59.9999999+00:00"),
        ("/Date(1700000000120+0200)/", "2023-11-14T22:13:20.12+00:00"),
        ("/Date(-1)/", "1969-12-31T23:59:59.999Z"),
    ],
)
def test_dates_are_written_as_newtonsoft_writes_them(stored: str, handed_over: str) -> None:
    """Without trailing zeros, and at the host's own offset where they had one."""
    assert rewrite_date(stored) == handed_over


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-01T00:00:00.123456Z",
        "2026-01-01T00:00:00.1234567Z",
        "2026-01-01T00:00:00.123456789Z",
        "2026-01-01T00:00:00.123456780Z",
        "2026-01-01T00:00:00.Z",
        "2026-01-01",
        "2026-01-01T00:00",
        "2026-01-01 00:00:00.10Z",
        "2026-02-30T00:00:00.10Z",
        "2026-13-01T00:00:00.10Z",
        "0000-01-01T00:00:00.10Z",
        "2026-01-01T24:00:01.10Z",
        "2026-01-01T24:00:00.1Z",
        "2026-01-01T25:00:00.10Z",
        "2026-01-01T00:60:00.10Z",
        "2026-01-01T00:00:60.10Z",
        "9999-12-31T24:00:00Z",
        "٢٠٢٦-01-01T00:00:00.10Z",
        "x2026-01-01T00:00:00.10Z",
        "2026-01-01T00:00:00.10Z\n",
        "/Date(x)/",
        "/Date(1700000000000)",
        "/Date(99999999999999999999)/",
        "",
    ],
)
def test_everything_else_is_left(text: str) -> None:
    """Dates without a time, impossible ones, and what merely resembles a date."""
    assert rewrite_date(text) == text


def test_every_string_of_a_document_is_rewritten_and_no_name() -> None:
    """Ids and nested values included; numbers are not touched."""
    date = "2026-01-01T00:00:00.10Z"
    rewritten = "2026-01-01T00:00:00.1Z"

    document = {"id": date, date: [1.0, 1e22, None, True, {"n": [date]}], "data": {"a": "b"}}

    assert rewrite_dates(document) == {
        "id": rewritten,
        date: [1.0, 1e22, None, True, {"n": [rewritten]}],
        "data": {"a": "b"},
    }


moments = st.datetimes(
    min_value=datetime(1, 1, 2),  # noqa: DTZ001 - hypothesis adds the time zones
    max_value=datetime(9999, 12, 30),  # noqa: DTZ001 - as above
    timezones=st.timedeltas(timedelta(hours=-23), timedelta(hours=23)).map(
        lambda offset: timezone(timedelta(minutes=offset // timedelta(minutes=1)))
    ),
)


@given(moments)
def test_the_moment_stays_the_same(moment: datetime) -> None:
    """Whatever the offset; rewriting it again changes nothing more."""
    rewritten = rewrite_date(moment.isoformat())

    seconds, _, fraction = rewritten.removesuffix("+00:00").partition(".")
    parsed = datetime.fromisoformat(f"{seconds}+00:00")
    assert parsed + timedelta(microseconds=int(f"{fraction:0<6}")) == moment
    assert rewrite_date(rewritten) == rewritten


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_json_without_dates_is_handed_over_unchanged(value: Any) -> None:
    """Down to how its numbers are written."""
    assert json.dumps(rewrite_dates(value)) == json.dumps(value)
