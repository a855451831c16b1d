"""Two changes of one dead letter at once, in every order of their requests."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from itertools import combinations_with_replacement
from typing import Any

import pytest

from core.dead_letters.store import DeadLetterStore
from core.errors import UnknownResourceError
from tests.support import FakeTime, MemoryContainer, documents_in
from tests.unit.core.dead_letters.poison_events import FAILURE, poison_event
from tests.unit.core.dead_letters.test_store import ID

EVENT, BLOCKING = poison_event(), poison_event(blocks=True)
CLOCK = FakeTime()

Operation = Callable[[DeadLetterStore], Awaitable[object]]


async def park(store: DeadLetterStore) -> object:
    return await store.park([EVENT], CLOCK.deadline()) == [EVENT]


async def block(store: DeadLetterStore) -> object:
    return await store.record_block(BLOCKING, CLOCK.deadline())


async def discard(store: DeadLetterStore) -> object:
    return (await store.discard(ID, "why", CLOCK.deadline())).state


async def replay(store: DeadLetterStore) -> object:
    dead_letter = await store.get(ID, CLOCK.deadline())
    await store.remove(dead_letter, CLOCK.deadline())
    return "replayed"


async def fail_again(store: DeadLetterStore) -> object:
    dead_letter = await store.get(ID, CLOCK.deadline())
    await store.record_failure(dead_letter, FAILURE, CLOCK.deadline())
    return "kept"


OPERATIONS: tuple[Operation, ...] = (park, block, discard, replay, fail_again)

INITIAL: dict[str, tuple[Operation, ...]] = {
    "absent": (),
    "waiting": (park,),
    "blocking": (block,),
    "discarded": (park, discard),
}

EXCEPTIONS: dict[tuple[Operation, Operation], set[tuple[object, ...]]] = {
    (discard, replay): {
        ("discarded", "replayed", "discarded")
    },  # the replay read before the discard
    (replay, replay): {
        ("replayed", "replayed", "absent")
    },  # both are told that the event is replayed
    (park, replay): {
        (True, "replayed", "absent")
    },  # its dead letter existed, and was replayed since
}


@dataclass
class Stepped:
    """A container of which each request waits for its turn."""

    container: MemoryContainer
    asks: asyncio.Event = field(default_factory=asyncio.Event)
    turn: asyncio.Event = field(default_factory=asyncio.Event)

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        """A request."""

        async def request(*arguments: object, **options: object) -> object:
            self.asks.set()
            await self.turn.wait()
            self.turn.clear()
            return await getattr(self.container, name)(*arguments, **options)

        return request


async def outcome_of(operation: Operation, container: Any) -> object:
    """What somebody is told."""
    try:
        return await operation(DeadLetterStore(container=documents_in(container, CLOCK)))
    except UnknownResourceError:
        return "unknown"


async def prepared(initial: str) -> MemoryContainer:
    container = MemoryContainer()
    for operation in INITIAL[initial]:
        await outcome_of(operation, container)
    return container


def state(container: MemoryContainer) -> str:
    document = container.documents.get((ID, ID))
    return document["state"] if document else "absent"


class Interleaving:
    """One run of two operations, whose turns follow a given beginning and then the first that asks.

    Attributes:
        turns: Who had which turn.
        alternatives: The beginnings that lead to other runs.
    """

    def __init__(self, beginning: tuple[int, ...]) -> None:
        self.turns: list[int] = []
        self.alternatives: list[tuple[int, ...]] = []
        self._beginning = beginning

    async def run(
        self, operations: tuple[Operation, Operation], container: MemoryContainer
    ) -> tuple[object, ...]:
        proxies = [Stepped(container) for _ in operations]
        tasks = [
            asyncio.ensure_future(outcome_of(operation, proxy))
            for operation, proxy in zip(operations, proxies, strict=True)
        ]
        while asking := [n for n in range(2) if await self._asks(tasks[n], proxies[n])]:
            chosen = self._choose(asking)
            self.turns.append(chosen)
            proxies[chosen].asks.clear()
            proxies[chosen].turn.set()
        return tuple([await task for task in tasks])

    async def _asks(self, task: asyncio.Future[object], proxy: Stepped) -> bool:
        asks = asyncio.ensure_future(proxy.asks.wait())
        either: list[asyncio.Future[Any]] = [task, asks]
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        asks.cancel()
        return not task.done()

    def _choose(self, asking: list[int]) -> int:
        if len(self.turns) < len(self._beginning):
            return self._beginning[len(self.turns)]
        if len(asking) > 1:
            self.alternatives.append((*self.turns, asking[1]))
        return asking[0]


async def all_outcomes(
    operations: tuple[Operation, Operation], initial: str
) -> dict[tuple[int, ...], tuple[object, ...]]:
    """What both are told and the state in the end, by the order of their requests."""
    outcomes = {}
    beginnings: list[tuple[int, ...]] = [()]
    while beginnings:
        container, interleaving = await prepared(initial), Interleaving(beginnings.pop())
        told = await interleaving.run(operations, container)
        beginnings += interleaving.alternatives
        outcomes[tuple(interleaving.turns)] = (*told, state(container))
    return outcomes


async def in_turn(
    operations: tuple[Operation, Operation], initial: str, *, is_reversed: bool
) -> tuple[object, ...]:
    container = await prepared(initial)
    told: dict[int, object] = {}
    for n in (1, 0) if is_reversed else (0, 1):
        told[n] = await outcome_of(operations[n], container)
    return (told[0], told[1], state(container))


def cases() -> Iterator[Any]:
    for operations in combinations_with_replacement(OPERATIONS, 2):
        for initial in INITIAL:
            names = "-".join(operation.__name__ for operation in operations)
            yield pytest.param(operations, initial, id=f"{names}-{initial}")


@pytest.mark.parametrize(("operations", "initial"), [*cases()])
async def test_two_changes_at_once_are_as_one_after_the_other(
    operations: tuple[Operation, Operation], initial: str
) -> None:
    """In what is told and in what is stored, whatever the order of the requests.

    The exceptions change nothing that somebody was told of.
    """
    expected = {
        await in_turn(operations, initial, is_reversed=is_reversed) for is_reversed in (False, True)
    }
    if initial != "absent":
        expected |= EXCEPTIONS.get(operations, set())

    outcomes = await all_outcomes(operations, initial)

    assert len(outcomes) > 1
    assert {turns: outcome for turns, outcome in outcomes.items() if outcome not in expected} == {}
