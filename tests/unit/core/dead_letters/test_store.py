from __future__ import annotations

from dataclasses import replace

from core.dead_letters.poison import PoisonEvent
from core.dead_letters.store import DeadLetterStore
from core.model.documents import Cause
from tests.support import FakeTime, MemoryContainer, documents_in


async def test_parking_again_keeps_the_first_dead_letter() -> None:
    """Its id is deterministic."""
    container, clock = MemoryContainer(), FakeTime()
    letters = DeadLetterStore(container=documents_in(container, clock))
    poison = PoisonEvent(
        module="m",
        cause=Cause(projection="m.f", stream_id="s", event_id="e", feed_order=""),
        error_type="InvalidEventError",
        reason="first",
        traceback="",
        blocks=False,
    )

    await letters.park([poison], clock.deadline())
    await letters.park([replace(poison, reason="second")], clock.deadline())

    (letter,) = container.documents.values()
    assert (letter["module"], letter["projection"], letter["reason"]) == ("m", "m.f", "first")
    assert (letter["streamId"], letter["eventId"]) == ("s", "e")
