"""Appends to streams, whose events are numbered: the protocol of one request at a time."""

from __future__ import annotations

import asyncio
import random
from collections import OrderedDict
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from core.errors import DeadlineExceededError, EngineError, PositionConflictError
from core.model.documents import KEY_TYPE
from core.model.times import next_time
from core.streams.appends import create_documents, head_at
from core.streams.keys import key_document, recorded_answer

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from datetime import datetime

    from core.errors import Refused
    from core.model.documents import Document
    from core.streams.appends import Append, Creation, Head
    from core.streams.event_store import EventStore
    from core.streams.keys import Appended, IdempotencyKey
    from core.throttling.deadline import Deadline

_MAX_HEADS = 10_000
_MAX_WAIT_SECONDS = 0.004
"""The longest wait after another process was first; longer ones would make hot streams slow."""


class Heads:
    """The newest heads that this process knows, which may be older than they are."""

    def __init__(self) -> None:
        self._by_stream: OrderedDict[str, Head] = OrderedDict()
        self._endpoint = ""

    def written_at(self, endpoint: str) -> Heads:
        """Return the heads, without those of another write region: it may have lost their events.

        Args:
            endpoint: Where the account takes writes now.
        """
        if endpoint != self._endpoint:
            self._endpoint = endpoint
            self._by_stream.clear()
        return self

    def get(self, stream_id: str) -> Head | None:
        """Return the head of a stream, None if it is not known."""
        if stream_id in self._by_stream:
            self._by_stream.move_to_end(stream_id)
        return self._by_stream.get(stream_id)

    def put(self, stream_id: str, head: Head) -> None:
        """Keep a head, and drop the one that was not used for the longest time if it is full."""
        self._by_stream[stream_id] = head
        self._by_stream.move_to_end(stream_id)
        if len(self._by_stream) > _MAX_HEADS:
            self._by_stream.popitem(last=False)

    def forget(self, stream_id: str) -> None:
        """Forget the head of a stream."""
        self._by_stream.pop(stream_id, None)


@dataclass(frozen=True, kw_only=True)
class Appender:
    """Appends events behind the head of a stream, so that each position is given once.

    Attributes:
        store: The event store.
        now: The function that returns the time.
        heads: The heads of streams.
        write_endpoint: The function that returns where the account takes writes.
        sleep: The function that waits.
        jitter: A random number in [0, 1).
    """

    store: EventStore
    now: Callable[[], datetime]
    heads: Heads = field(default_factory=Heads)
    write_endpoint: Callable[[], str] = str
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    jitter: Callable[[], float] = random.random

    async def expecting(self, append: Append, position: int) -> Append:
        """Return an append that must follow the event at a position directly.

        The position is not taken from the caller's word: the event must be there.

        Raises:
            PositionConflictError: If there is no such event.
        """
        stream_id, deadline = append.stream_id, append.deadline
        head = await self.store.head_at(stream_id, position, deadline)
        if head is None:
            raise PositionConflictError(f"Stream {stream_id} has no position {position}.")
        return replace(append, expected=head)

    async def append(
        self, stream_id: str, group: Sequence[Append]
    ) -> Sequence[Appended | EngineError | None]:
        """Send a group of appends in one request, and return the answer to each of them.

        None stands for an append that has to be sent again, because it was not stored. No other
        append to the stream may be sent by this process meanwhile.

        Raises:
            DeadlineExceededError: If it is not known whether the group is stored.
            ReservedIdError: If a document of another program is in the way.
            RejectedByCosmosError: If Cosmos DB rejects the request; then nothing is stored.
            CosmosError: If Cosmos DB returns another error that is not retryable.
        """
        deadline = max((append.deadline for append in group), key=lambda one: one.remaining())
        head = self.heads.written_at(self.write_endpoint()).get(stream_id)
        head = group[0].expected or head
        try:
            head = head or await self.store.head(stream_id, deadline)
            creation = create_documents(group, head, self.now())
            conflict = await self.store.create(stream_id, creation.documents, deadline)
            if conflict is None:
                self.heads.put(stream_id, creation.head)
                return creation.answers
            return await self._resolve(group, creation, conflict, deadline)
        except BaseException:
            self.heads.forget(stream_id)
            raise

    async def _resolve(
        self, group: Sequence[Append], creation: Creation, conflict: int, deadline: Deadline
    ) -> Sequence[Appended | EngineError | None]:
        """Return what a conflict means for each append, from the document that is in the way.

        Documents with these ids are created once, so that the answer does not change any more.
        """
        sent, stream_id = creation.documents[conflict], group[0].stream_id
        stored = await self._obstacle(sent, deadline)
        if stored is None:
            self.heads.put(stream_id, creation.head)
            return creation.answers
        answers: list[Appended | EngineError | None] = [None] * len(group)
        owner = creation.owners[conflict]
        if (key := group[owner].key) is not None and sent["type"] == KEY_TYPE:
            answers[owner] = recorded_answer(key, stored)
        elif (expected := group[0].expected) is not None:
            answers[owner] = PositionConflictError(
                f"Stream {stream_id} has events after position {expected.position}."
            )
        else:
            await self._follow(stream_id, stored, deadline)
        return answers

    async def record_refusal(
        self, append: Append, key: IdempotencyKey, refusal: Refused
    ) -> Appended | EngineError:
        """Record a refusal under its key, and return the answer that the key stands for then.

        Raises:
            DeadlineExceededError: If it is not known whether the refusal is recorded.
            CosmosError: If Cosmos DB returns an error that is not retryable.
        """
        stream_id, deadline = append.stream_id, append.deadline
        time = next_time(self.now())
        document = key_document(key, stream_id, append.token, time, refusal)
        if await self.store.create(stream_id, [document], deadline) is None:
            return refusal
        stored = await self._obstacle(document, deadline)
        return refusal if stored is None else recorded_answer(key, stored)

    async def pause(self) -> None:
        """Wait a short random time, after another process was first."""
        await self.sleep(self.jitter() * _MAX_WAIT_SECONDS)

    async def _obstacle(self, sent: Document, deadline: Deadline) -> Document | None:
        """Return what is in the way of a document, None if an earlier request has created it."""
        stored = await self.store.see(sent["streamId"], sent["id"], deadline)
        if stored is None:
            raise DeadlineExceededError(
                f"Document {sent['id']} in stream {sent['streamId']} exists and cannot be read "
                "yet, so that it is not known whether the command has been executed."
            )
        return None if _token(stored) == _token(sent) else stored

    async def _follow(self, stream_id: str, stored: Document, deadline: Deadline) -> None:
        """Take the newest own event as the head, after another process was first."""
        newest = await self.store.head(stream_id, deadline, start=stored["id"])
        self.heads.put(stream_id, max(newest, head_at(stored)))
        await self.pause()


def _token(document: Document) -> Any:  # noqa: ANN401 - any JSON value
    meta = document.get("meta")
    return meta.get("token") if isinstance(meta, dict) else None
