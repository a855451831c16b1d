from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest

from core.model.registry import Registry
from core.streams.entity_reader import read_entity
from core.streams.folding import EntityState
from tests.apps.follows import followship
from tests.apps.follows.followship import Followship
from tests.support import FakeTime, followed, stream

MODELS = Registry.from_modules([followship]).events
WHOLE = [followed(1, number + 1, f"n{number:012d}") for number in (1, 2, 3)]
GAP = [WHOLE[0], WHOLE[2]]


class Reader:
    """A reader that returns one content of the stream after the other, and then the last one."""

    def __init__(self, *contents: list[dict[str, Any]]) -> None:
        self.contents = list(contents)

    async def pages(self, *_: object) -> AsyncIterator[list[dict[str, Any]]]:
        yield self.contents.pop(0) if len(self.contents) > 1 else self.contents[0]


async def read(*contents: list[dict[str, Any]]) -> EntityState[Followship] | None:
    clock, reader = FakeTime(), Reader(*contents)
    stored: Any = reader
    return await read_entity(
        stored, Followship, stream(1), MODELS, clock.deadline(), sleep=clock.sleep
    )


async def test_a_replica_that_lacks_a_position_is_read_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Without a word, if the position is there then."""
    state = await read(GAP, WHOLE)

    assert state is not None
    assert (state.position, state.is_whole, len(state.entity.following)) == (3, True, 3)
    assert caplog.records == []


async def test_a_gap_that_stays_is_told(caplog: pytest.LogCaptureFixture) -> None:
    """As after a failover that lost writes."""
    with caplog.at_level(logging.ERROR):
        state = await read(GAP)

    assert state is not None
    assert (state.position, state.is_whole) == (3, False)
    assert f"stream.gap stream_id={stream(1)} head=3" in caplog.text
