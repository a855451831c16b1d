from __future__ import annotations

from datetime import datetime, timezone

import pytest

from core.dead_letters.dead_letter import DeadLetter
from core.dead_letters.store import DeadLetterStore
from core.errors import UnknownResourceError
from core.ids import dead_letter_id
from tests.support import Document, FakeTime, MemoryContainer, documents_in, refusal
from tests.unit.core.dead_letters.poison_events import FAILURE, poison_event

CLOCK = FakeTime()
EVENT = poison_event()
ID = DeadLetter.from_poison_event(EVENT, datetime.now(timezone.utc)).id


def store(container: MemoryContainer) -> DeadLetterStore:
    return DeadLetterStore(container=documents_in(container, CLOCK))


def only(container: MemoryContainer) -> Document:
    (document,) = container.documents.values()
    return document


async def test_parking_again_keeps_the_first_dead_letter() -> None:
    """Its id is deterministic, and its partition key."""
    container = MemoryContainer()
    dead_letters = store(container)
    again = poison_event(failure=FAILURE._replace(reason="second"))

    parked = await dead_letters.park([EVENT], CLOCK.deadline())
    parked += await dead_letters.park([again], CLOCK.deadline())

    assert parked == [EVENT, again]
    assert container.documents.keys() == {(ID, ID)}
    assert (only(container)["reason"], only(container)["attempts"]) == ("why", 1)


async def test_an_event_that_is_discarded_is_not_parked() -> None:
    """Which is told, as it holds nothing up."""
    container = MemoryContainer()
    dead_letters = store(container)
    await dead_letters.park([EVENT], CLOCK.deadline())
    await dead_letters.discard(ID, "no use", CLOCK.deadline())

    parked = await dead_letters.park([EVENT], CLOCK.deadline())
    blocks = await dead_letters.record_block(EVENT, CLOCK.deadline())

    assert (parked, blocks) == ([], False)
    assert (only(container)["state"], only(container)["discardReason"]) == ("discarded", "no use")


async def test_what_is_parked_does_not_block_any_more() -> None:
    """After `block` was turned into `park` in the code."""
    container = MemoryContainer()
    dead_letters = store(container)
    assert await dead_letters.record_block(poison_event(blocks=True), CLOCK.deadline())
    assert only(container)["state"] == "blocking"

    await dead_letters.park([EVENT], CLOCK.deadline())

    assert only(container)["state"] == "waiting"


async def test_a_change_whose_reply_is_lost_counts_once() -> None:
    """The retry meets its own version."""

    class Lossy(MemoryContainer):
        async def replace_item(self, item: str, body: Document, **options: object) -> Document:
            await super().replace_item(item, body, **options)
            raise refusal(503)

    container = Lossy()
    dead_letters = store(container)
    await dead_letters.park([EVENT], CLOCK.deadline())
    stored = await dead_letters.get(ID, CLOCK.deadline())

    changed = await dead_letters.record_failure(stored, FAILURE, CLOCK.deadline())

    assert (changed.attempts, only(container)["attempts"]) == (2, 2)


@pytest.mark.parametrize("name", ["", "nothing", "a/b", f"{ID}/", "x" * 3_000, ID.upper(), ID])
async def test_there_is_no_dead_letter_of_another_id(name: str) -> None:
    """Whatever it is, it is not sent to Cosmos DB, which refuses many."""
    dead_letters = store(MemoryContainer())

    with pytest.raises(UnknownResourceError, match="There is no dead letter"):
        await dead_letters.get(name, CLOCK.deadline())
    with pytest.raises(UnknownResourceError, match="There is no dead letter"):
        await dead_letters.discard(name, "why", CLOCK.deadline())


def test_half_a_character_has_an_id() -> None:
    """UTF-8 does not have it, JSON does."""
    ids = {
        dead_letter_id(module="m", projection=None, source_stream=text, source_id="e")
        for text in ("\ud800", "\udfff", "\\ud800")
    }

    assert len(ids) == 3
