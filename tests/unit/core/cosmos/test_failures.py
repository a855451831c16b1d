from __future__ import annotations

import pytest

from core.cosmos.failures import Failure, classify


@pytest.mark.parametrize(
    ("status", "sub_status", "expected"),
    [
        (429, 3200, Failure.THROTTLED),
        (449, 0, Failure.THROTTLED),
        (0, 0, Failure.TRANSIENT),
        (408, 0, Failure.TRANSIENT),
        (410, 1002, Failure.TRANSIENT),
        (500, 0, Failure.TRANSIENT),
        (502, 0, Failure.TRANSIENT),
        (503, 0, Failure.TRANSIENT),
        (504, 0, Failure.TRANSIENT),
        (403, 3, Failure.TRANSIENT),
        (404, 1002, Failure.TRANSIENT),
        (401, 0, Failure.CONFIGURATION),
        (403, 5300, Failure.CONFIGURATION),
        (403, 1014, Failure.REFUSED),
        (404, 1003, Failure.CONFIGURATION),
        (404, 0, Failure.NOT_FOUND),
        (409, 0, Failure.CONFLICT),
        (412, 0, Failure.CONFLICT),
        (400, 1001, Failure.CONFIGURATION),
        (400, 0, Failure.REFUSED),
        (413, 0, Failure.REFUSED),
        (418, 0, Failure.REFUSED),
    ],
)
def test_answers_are_classified(status: int, sub_status: int, expected: Failure) -> None:
    """Each by what there is to do about it."""
    assert classify(status, sub_status) is expected
