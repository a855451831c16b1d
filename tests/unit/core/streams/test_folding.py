"""From pages of documents to an entity: everything that is stored counts, or it is an error."""

from __future__ import annotations

import gc
import json
import re
from collections.abc import AsyncIterator, Iterable
from typing import Any
from uuid import UUID

import pytest
from pydantic import Field

from core import Value
from core.errors import UnreadableEventError
from core.model.entities import Entity, reduces
from core.model.registry import Registry
from core.streams.folding import EntityState, fold_stream
from core.streams.pacer import Pacer
from core.streams.stream_state import stream_state
from tests.apps.follows import followship
from tests.apps.follows.followship import Followed
from tests.support import followed, stream, user

MODELS = Registry.from_modules([followship]).events


async def pages(*contents: Iterable[dict[str, Any]]) -> AsyncIterator[Iterable[dict[str, Any]]]:
    for content in contents:
        yield content


class Followship(Entity):
    """The users whom a user follows, in the order of the events."""

    following: tuple[UUID, ...] = ()

    @reduces
    def followed(self, event: Followed) -> Followship:
        return self.evolve(following=(*self.following, event.to_follow))


async def folded(*contents: Iterable[dict[str, Any]]) -> EntityState[Followship] | None:
    return await fold_stream(Followship, pages(*contents), MODELS, Pacer())


def at(second: int, target: int, **changes: Any) -> dict[str, Any]:
    """Return an event of a second."""
    return followed(1, target, time=f"2026-01-01T00:00:{second:02d}.000000Z", **changes)


async def test_events_are_folded_in_their_order_across_pages() -> None:
    """A derived event with an early time may be stored on the last page."""
    state = await folded([at(4, 4), at(2, 2)], [at(3, 3)], [at(1, 5)])

    assert state is not None
    assert list(state.entity.following) == [user(5), user(2), user(3), user(4)]


async def test_the_position_is_that_of_the_last_event_of_a_command() -> None:
    """Derived events have none, and keys are not events."""
    own = [at(1, 2, id="n000000000001"), at(2, 3, id="n000000000002"), at(3, 4, id="derived")]
    key = {"id": "k" + "0" * 32, "streamId": stream(1), "type": "$key", "data": {"position": 9}}

    state = await folded([key, *own])

    assert state is not None
    assert state.position == 2
    assert len(state.entity.following) == 3


async def test_events_of_retired_types_are_passed_over() -> None:
    """They mean nothing any more; their positions are still taken."""

    class Person(Followship, name="followship", retired=("Waved",)):
        pass

    stored = [at(1, 2, id="n000000000001"), at(2, 3, id="n000000000002", type="Waved")]

    state = await fold_stream(Person, pages(stored), MODELS, Pacer())

    assert state is not None
    assert (state.position, state.entity.following) == (2, (user(2),))
    with pytest.raises(UnreadableEventError, match="Waved"):
        await folded(stored)


async def test_erased_events_hold_their_position() -> None:
    """The position is not given again, so no reader may see it go back."""
    stub = {"id": "n000000000002", "streamId": stream(1), "type": "$erased"}

    state = await folded([at(1, 2, id="n000000000001"), stub])

    assert state is not None
    assert (state.position, len(state.entity.following)) == (2, 1)


@pytest.mark.parametrize("contents", [[], [{"id": "k1", "type": "$key"}]])
async def test_without_events_there_is_no_entity(contents: list[dict[str, Any]]) -> None:
    """Also where only documents of the engine are stored."""
    assert await folded(contents) is None


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"data": {"user_id": "x"}}, "The data is not a valid Followed"),
        ({"version": 2}, "Followed has version 2; this code has 1"),
        ({"type": "Renamed"}, "This code has no event type of this name"),
        ({"type": None}, "The document is not an event"),
        ({"streamId": stream(7)}, "is stored in the stream of another entity"),
    ],
)
async def test_an_event_that_cannot_be_read_is_an_error(
    changes: dict[str, Any], reason: str
) -> None:
    """A state without it would be wrong, and nothing would say so."""
    with pytest.raises(UnreadableEventError, match=reason) as caught:
        await folded([at(1, 2), at(2, 3, **{"id": "broken", **changes})])

    assert caught.value.event_id == "broken"


def count_alive() -> int:
    """Return the number of events that the garbage collector would look at."""
    gc.collect()
    return sum(isinstance(one, Followed) for one in gc.get_objects())


async def test_events_wait_for_their_turn_as_text() -> None:
    """Objects would hold up the loop, when the garbage collector looks at all of them."""
    alive: list[int] = []
    before = count_alive()

    class Counter(Entity, name="followship"):
        @reduces
        def followed(self, event: Followed) -> Entity:
            if not alive:
                alive.append(count_alive() - before)
            return self

    contents = (at(number % 60, number + 2) for number in range(500))
    await fold_stream(Counter, pages(contents), MODELS, Pacer())

    assert alive[0] < 10


async def test_half_a_surrogate_pair_is_an_unreadable_event() -> None:
    """JSON can hold it, and UTF-8 cannot."""
    odd = at(1, 2, data={"user_id": str(user(1)), "to_follow": "\ud800"})

    with pytest.raises(UnreadableEventError):
        await folded([odd])


class CountingPacer(Pacer):
    """A pacer on a clock on which each event takes 1 ms, with the events between two turns."""

    def __init__(self) -> None:
        self.now, self.gaps = 0.0, [0]
        super().__init__(lambda: self.now, self._note_turn)

    async def pause(self) -> None:
        self.now += 0.001
        self.gaps[-1] += 1
        await super().pause()

    async def _note_turn(self) -> None:
        self.gaps.append(0)


async def test_other_tasks_continue_while_many_events_are_folded() -> None:
    """The loop is given back by time, here of a clock on which each event takes 1 ms."""
    pacer = CountingPacer()

    documents = [at(0, target) for target in range(30_000)]
    await fold_stream(followship.Followship, pages(documents), MODELS, pacer)

    assert sum(pacer.gaps) == 60_000
    assert max(pacer.gaps) <= 21


async def test_other_tasks_continue_while_a_decision_is_prepared() -> None:
    """In the same way."""
    pacer = CountingPacer()

    documents = [at(0, target) for target in range(30_000)]
    state = await stream_state(pages(documents), pacer)

    assert len(state.events) == sum(pacer.gaps) == 30_000
    assert max(pacer.gaps) <= 21


async def test_the_tag_is_the_position_and_a_part_of_the_hash() -> None:
    """A derived event changes the state and so the tag, but not the position."""
    own = at(1, 2, id="n000000000001")

    before, same, after = (await folded([own]), await folded([own]), await folded([own, at(2, 3)]))

    assert before is not None
    assert same is not None
    assert after is not None
    assert re.fullmatch(r'"1\.[0-9a-f]{16}"', before.etag)
    assert before.etag == same.etag
    assert after.etag.startswith('"1.')
    assert after.etag != before.etag


def test_sets_are_shown_in_one_order() -> None:
    """Their own order differs between hosts, for hashes of texts are random."""

    class Tagged(Entity):
        tags: frozenset[str] = frozenset()

    body = EntityState(Tagged(tags=frozenset("bca")), 0).body

    assert body == '{"tags": ["a", "b", "c"]}'


def test_nested_sets_are_shown_in_one_order() -> None:
    """In values, dictionaries and tuples, or the tag would differ from host to host."""

    class Tags(Value):
        names: frozenset[str]

    class Board(Entity):
        by_user: dict[str, frozenset[str]] = Field(default_factory=dict)
        lists: tuple[Tags, ...] = ()

    names = [f"name-{number}" for number in range(20)]
    entity = Board(by_user={"a": frozenset(names)}, lists=(Tags(names=frozenset(names)),))

    body = json.loads(EntityState(entity, 1).body)

    assert body == {"by_user": {"a": sorted(names)}, "lists": [{"names": sorted(names)}]}
