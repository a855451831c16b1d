"""From the documents of a stream to what a decision is made on; pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.ids import own_event_position
from core.model.documents import KEY_TYPE, is_event
from core.streams.appends import Head, head_at, valid_time

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Iterable, Mapping

    from core.model.documents import Document
    from core.streams.pacer import Pacer


@dataclass(frozen=True, kw_only=True)
class StreamState:
    """What a stream holds.

    Attributes:
        events: The documents of its events, in the order in which they are stored.
        keys: The documents of idempotency keys by id.
        head: The newest own event.
        floor: The highest time of all events, "" without any.
        is_whole: Whether the positions up to the head are all there, as in any state that the
            stream has been in.
    """

    events: tuple[Document, ...]
    keys: Mapping[str, Document]
    head: Head
    floor: str
    is_whole: bool


async def stream_state(pages: AsyncIterable[Iterable[Document]], pacer: Pacer) -> StreamState:
    """Return what the documents of a stream say.

    Args:
        pages: The documents of the stream.
        pacer: What bounds the time for which the event loop is held.

    Raises:
        ReservedIdError: If another program wrote the newest own event.
    """
    events, keys, own, floor = [], {}, [], ""
    async for page in pages:
        for document in page:
            await pacer.pause()
            if document.get("type") == KEY_TYPE:
                keys[document["id"]] = document
                continue
            floor = max(floor, valid_time(document))
            if own_event_position(document["id"]) is not None:
                own.append(document)
            if is_event(document):
                events.append(document)
    newest = max(own, key=lambda document: str(document["id"]), default=None)
    head = head_at(newest) if newest else Head(0, "")
    return StreamState(
        events=tuple(events),
        keys=keys,
        head=head,
        floor=floor,
        is_whole=head.position == len(own),
    )
