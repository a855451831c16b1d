"""Poison events as the tests of dead letters need them."""

from __future__ import annotations

from typing import Any

from core.dead_letters.poison import PoisonEvent, ProjectionFailure
from core.model.documents import Cause

FAILURE = ProjectionFailure("ProjectionFailedError", "why", "ValueError", "m.py f: yield 1", "here")


def poison_event(
    projection: str | None = "m.f",
    *,
    stream_id: Any = "s-1",
    event_id: Any = "e",
    order: str = "",
    failure: ProjectionFailure = FAILURE,
    blocks: bool = False,
) -> PoisonEvent:
    """An event on which a projection of module `m` failed."""
    cause = Cause(projection, stream_id, event_id, order)
    return PoisonEvent(module="m", cause=cause, failure=failure, blocks=blocks)
