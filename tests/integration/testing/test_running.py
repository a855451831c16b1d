"""Whole applications inside a test."""

from __future__ import annotations

from uuid import UUID

from local.testing.running import running
from tests.apps import follows
from tests.apps.follows.followship import Follow, Followship

A, B = UUID(int=1), UUID(int=2)


async def test_everybody_learns_of_it() -> None:
    """Through real triggers and leases."""
    async with running(follows, partitions=2) as app:
        await app.send(Follow(user_id=A, to_follow=B), key="1")
        await app.settled()

        assert await app.read(Followship, B) == Followship(followers=frozenset({A}))
        assert await app.read(Followship, UUID(int=3)) is None
