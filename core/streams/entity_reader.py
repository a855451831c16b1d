"""Reads entities: streams, folded."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, TypeVar

from core.model.entities import Entity
from core.streams.folding import fold_stream
from core.streams.pacer import Pacer

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from core.model.events import Event
    from core.streams.folding import EntityState
    from core.streams.reader import StreamReader
    from core.throttling.deadline import Deadline

logger = logging.getLogger(__name__)

_DELAYS = (0.0, 0.1, 0.5)
"""The seconds before each read of a stream of which a position is missing."""

EntityT = TypeVar("EntityT", bound=Entity)


async def read_entity(
    reader: StreamReader,
    entity: type[EntityT],
    stream_id: str,
    models: Mapping[str, type[Event]],
    deadline: Deadline,
    *,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> EntityState[EntityT] | None:
    """Return an entity, None if there is none.

    A stream of which a position is missing is read again, as a replica may be behind. If it is
    still missing, as after a failover that lost writes, the log says so.

    Raises:
        UnreadableEventError: If one of its events cannot be read.
        DeadlineExceededError: If the deadline is reached.
        CosmosError: If Cosmos DB returns an error that is not retryable.
    """
    state: EntityState[EntityT] | None = None
    for seconds in _DELAYS:
        deadline.check(f"reading stream {stream_id}", seconds)
        await sleep(seconds)
        state = await fold_stream(entity, reader.pages(stream_id, deadline), models, Pacer())
        if state is None or state.is_whole:
            return state
    logger.error("stream.gap stream_id=%s head=%d", stream_id, state.position if state else 0)
    return state
