"""What a caller demands of an entity before its command is executed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.errors import PositionConflictError
from core.ids import own_event_id
from core.streams.entity_reader import read_entity

if TYPE_CHECKING:
    from core.model.registry import Registry
    from core.streams.appends import Append
    from core.streams.reader import StreamReader

_READS = 2
"""How often the entity is read: the first time a replica may be behind."""


async def position_with_tag(
    reader: StreamReader, registry: Registry, append: Append, tag: str, position: int | None
) -> int | None:
    """Return the position that the stream must have for its entity to have a tag.

    If an earlier execution with the key is recorded, the given position is returned: the command
    gets the recorded answer then, whatever the entity has become.

    Args:
        reader: The reader of streams.
        registry: The declarations of the application.
        append: What is to be appended.
        tag: The entity tag.
        position: The position that the stream must have as well, None for any.

    Raises:
        PositionConflictError: If the entity has another tag, or the stream another position.
        UnreadableEventError: If one of its events cannot be read.
        DeadlineExceededError: If the deadline is reached.
        CosmosError: If Cosmos DB returns an error that is not retryable.
    """
    stream, deadline, key = append.stream_id, append.deadline, append.key
    entity = registry.entity(stream.partition("-")[0])
    for _ in range(_READS):
        state = await read_entity(reader, entity, stream, registry.events, deadline)
        if state is not None and state.etag == tag and position in {None, state.position}:
            return state.position
        # Without a key, reading any document where writes run brings the session up to date.
        stored = await reader.get(stream, key.id if key else own_event_id(1), deadline)
        if key is not None and stored is not None:
            return position
    raise PositionConflictError(
        f"The entity has changed: its tag is not {tag!r:.80}. Read it again."
    )
