"""The tokens of responses."""

from __future__ import annotations

import pytest

from core.cosmos.sessions import session_lsn
from core.errors import LeaseFormatError


@pytest.mark.parametrize(
    ("token", "expected"),
    [("0:12345", 12345), ("0:-1#12345", 12345), ("0:-1#12345#Region1=1#Region2=2", 12345)],
)
def test_session_tokens_tell_the_last_transaction(token: str, expected: int) -> None:
    """In all forms that the service uses."""
    assert session_lsn({"X-MS-Session-Token": token}) == expected


@pytest.mark.parametrize("token", ["", "0", "0:x", "0:-1#x"])
def test_a_session_token_without_an_lsn_is_an_error(token: str) -> None:
    """It is not taken for "caught up"."""
    with pytest.raises(LeaseFormatError, match="has no LSN"):
        session_lsn({"X-MS-Session-Token": token})
