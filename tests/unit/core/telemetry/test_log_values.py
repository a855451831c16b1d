from __future__ import annotations

import pytest

from core.telemetry.log_values import log_value


@pytest.mark.parametrize(
    ("value", "logged"),
    [
        ("followship-4f1e", "followship-4f1e"),
        ("Zoë 😀", "Zoë 😀"),
        ("a\nevent.parked b", "a\\nevent.parked b"),
        ("\x00\x1b[31m\u2028", "\\x00\\x1b[31m\\u2028"),
        ("half \ud800", "half \\ud800"),
        (None, "None"),
        ([1, "\ud800"], "[1, '\\ud800']"),
        ("x" * 2_000_000, "x" * 200),
    ],
)
def test_a_value_is_one_line_of_a_log(value: object, logged: str) -> None:
    """Whatever a document holds."""
    assert log_value(value) == logged
    assert logged.encode()
