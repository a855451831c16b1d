"""From the documents of a stream to its entity; pure."""

from __future__ import annotations

import heapq
import json
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from pydantic_core import PydanticSerializationError

from core.errors import InvalidEventError, UnreadableEventError
from core.ids import own_event_position
from core.model.documents import Envelope, is_event, parse_event
from core.model.entities import Entity, reducers
from core.model.order import order_key
from core.streams.shown_fields import shown_fields

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, AsyncIterator, Iterable, Mapping, Sequence

    from core.model.documents import Document
    from core.model.events import Event
    from core.streams.pacer import Pacer

EntityT = TypeVar("EntityT", bound=Entity)

_Entry = tuple[Any, ...]
"""The parts of the `OrderKey` of an event, and the JSON of its envelope."""


@dataclass(frozen=True)
class EntityState(Generic[EntityT]):
    """An entity as it is shown.

    Attributes:
        entity: The entity.
        position: The position of the last event that a command has appended to its stream.
        is_whole: Whether the events of all positions up to it were read.
    """

    entity: EntityT
    position: int
    is_whole: bool = True

    @cached_property
    def body(self) -> str:
        """The JSON of the fields, in which sets are sorted so that it is the same on every host.

        Raises:
            ValueError: If a field holds a number that JSON does not have.
        """
        return json.dumps(shown_fields(self.entity), allow_nan=False)

    @property
    def etag(self) -> str:
        """The entity tag of the body: the position, a dot, and a part of the hash.

        The hash is needed because derived events and changed reducers change the body as well.
        """
        return f'"{self.position}.{sha256(self.body.encode()).hexdigest()[:16]}"'


async def fold_stream(
    entity: type[EntityT],
    pages: AsyncIterable[Iterable[Document]],
    models: Mapping[str, type[Event]],
    pacer: Pacer,
) -> EntityState[EntityT] | None:
    """Return an entity, None if there is none: no event of its stream has a reducer.

    The events are folded in the order of `OrderKey`, without those of retired types. The
    types whose names begin with `$` are the engine's own documents, such as keys.

    Args:
        entity: The class of the entity.
        pages: The documents of the stream, in any order.
        models: The event types by name.
        pacer: What bounds the time for which the event loop is held.

    Raises:
        UnreadableEventError: If an event cannot be read, so that the state would be without it.
    """
    runs: list[list[_Entry]] = []
    position = count = 0
    async for page in pages:
        run: list[_Entry] = []
        for document in page:
            own = _position(document)
            position, count = max(position, own), count + bool(own)
            if is_event(document) and document.get("type") not in entity.retired:
                run.append(_entry(document, models))
            await pacer.pause()
        runs.append(sorted(run))
    state, exists, apply = entity(), False, reducers(entity)
    for entry in heapq.merge(*runs):
        event = _event(entry, models)
        reducer = apply.get(type(event))
        if reducer is not None:
            state, exists = reducer(state, event), True
        await pacer.pause()
    return EntityState(state, position, count == position) if exists else None


async def in_one_page(documents: Sequence[Document]) -> AsyncIterator[Sequence[Document]]:
    """Yield all documents as one page."""
    yield documents


def _position(document: Mapping[str, Any]) -> int:
    return own_event_position(str(document.get("id"))) or 0


def _entry(document: Mapping[str, Any], models: Mapping[str, type[Event]]) -> _Entry:
    """Return the place of an event, and its document as text.

    Texts are not looked at by the garbage collector, which would hold the event loop for longer and
    longer if all events of a long stream were kept as objects.
    """
    try:
        envelope = Envelope.from_document(document)
        if envelope.type in models:
            return (*order_key(envelope), envelope.model_dump_json(by_alias=True))
        reason = "This code has no event type of this name."
    except (InvalidEventError, PydanticSerializationError) as error:
        reason = str(error)
    raise _unreadable(document.get("id"), document.get("type"), reason)


def _event(entry: _Entry, models: Mapping[str, type[Event]]) -> Event:
    envelope = Envelope.model_validate_json(entry[-1])
    try:
        return parse_event(envelope, models[envelope.type])
    except InvalidEventError as error:
        raise _unreadable(envelope.id, envelope.type, str(error)) from error


def _unreadable(event_id: object, event_type: object, reason: str) -> UnreadableEventError:
    return UnreadableEventError(event_id=str(event_id), event_type=str(event_type), reason=reason)
