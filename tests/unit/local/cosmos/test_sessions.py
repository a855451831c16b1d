from __future__ import annotations

import pytest

from local.cosmos.errors import ServiceError
from local.cosmos.partitions import KeyRange
from local.cosmos.sessions import demanded_lsn, session_token

CHILD = KeyRange(id="3", minimum="", maximum="FF", parents=("0", "1"))


@pytest.mark.parametrize(
    ("token", "lsn"),
    [
        ("", None),
        ("3:12", 12),
        ("3:-1#12", 12),
        ("3:-1#12#1=7", 12),
        ("2:-1#9", None),
        ("2:-1#9,3:-1#12", 12),
        ("3:-1#12,0:-1#99", 12),
        ("0:-1#5", 5),
        ("0:-1#5,1:-1#8,2:-1#99", 8),
    ],
)
def test_a_token_demands_an_lsn(token: str, lsn: int | None) -> None:
    """The partition's own entry counts, otherwise those of the partitions it was split from."""
    assert demanded_lsn(token, CHILD) == lsn


def test_a_token_that_was_given_is_understood() -> None:
    """It names the LSN that it was made of."""
    assert demanded_lsn(session_token("3", 42), CHILD) == 42


@pytest.mark.parametrize("token", ["3", "3:", "3:x", "3:-1#x", "3:-1#" + "9" * 30])
def test_a_malformed_token_is_a_bad_request(token: str) -> None:
    """It is never taken for one that demands nothing."""
    with pytest.raises(ServiceError, match="session token") as caught:
        demanded_lsn(token, CHILD)
    assert caught.value.status == 400
