"""Whole applications inside a test."""

from __future__ import annotations

from uuid import UUID

import pytest

from local.testing.running import running
from tests.apps import follows, notices
from tests.apps.follows.followship import Follow, Followship
from tests.apps.notices.board import Post

A, B = UUID(int=1), UUID(int=2)


async def test_everybody_learns_of_it() -> None:
    """Through real triggers and leases."""
    async with running(follows, partitions=2) as app:
        await app.send(Follow(user_id=A, to_follow=B), key="1")
        await app.settled()

        assert await app.read(Followship, B) == Followship(followers=frozenset({A}))
        assert await app.read(Followship, UUID(int=3)) is None


async def test_a_dead_letter_fails_the_test() -> None:
    """With the author's error, unless it is expected."""
    async with running(notices) as app:
        await app.send(Post(board="a", readers=0))

        with pytest.raises(AssertionError, match=r"(?s)1 dead letters, expected 0.*nobody reads"):
            await app.settled()
        await app.settled(dead_letters=1)
