"""Checks of whole applications for purity."""

from __future__ import annotations

from uuid import UUID

import pytest

from core.testing import assert_pure
from tests.apps import follows, hashed, impure
from tests.apps.follows.followship import Followed
from tests.apps.hashed.sets import Sent
from tests.apps.impure.tagging import Listed


def test_a_pure_application_passes() -> None:
    """Under all hash seeds."""
    assert_pure(follows, Followed(user_id=UUID(int=1), to_follow=UUID(int=2)))


def test_an_order_that_hash_seeds_change_is_named() -> None:
    """With both orders, which no run in one process shows."""
    message = (
        r"^projection sets\.copies, event 1 gives other results under another hash seed "
        r"\(1: Received reader-\w.*; 2: Received reader-\w.*\) → sort$"
    )
    with pytest.raises(AssertionError, match=message):
        assert_pure(hashed, Sent(letter="a"))


def test_a_watched_call_is_named() -> None:
    """With the author's line."""
    with pytest.raises(AssertionError, match=r"tagging\.py:\d+ reads the clock \(time\.time\)"):
        assert_pure(impure, Listed(name="list", tags={"b": 1, "a": 2}))
