"""From appends to the documents that a request creates; pure."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic_core import to_json

from core.errors import ReservedIdError
from core.ids import own_event_id, own_event_position
from core.model.times import canonical_time, next_time, parse_time
from core.quotas import MAX_OPERATIONS, MAX_REQUEST_BYTES
from core.streams.keys import Appended, key_document

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from core.model.documents import Document
    from core.streams.keys import IdempotencyKey
    from core.throttling.deadline import Deadline

_FRAME_BYTES = 512
"""The bytes that are added to an event: its id, position and time, and the operation around it."""


class Head(NamedTuple):
    """The position and time of the newest own event of a stream.

    Without own events the position is 0, and the time that of the newest event, "" without any.
    """

    position: int
    time: str


@dataclass(frozen=True, kw_only=True)
class Append:
    """Events that one execution of a command appends to a stream, all or none.

    Attributes:
        stream_id: The stream.
        events: The documents of the events, without id, position, time and token.
        token: A random text by which this execution knows what it has stored.
        deadline: The time by which its caller must have an answer.
        key: The idempotency key, if there is one.
        expected: The head directly behind which the events must be stored, None for any.
        time: The time of the first event, which is after the expected head; "" for now.
    """

    stream_id: str
    events: Sequence[Document]
    token: str
    deadline: Deadline
    key: IdempotencyKey | None = None
    expected: Head | None = None
    time: str = ""

    @property
    def operations(self) -> int:
        """The operations that it takes."""
        return len(self.events) + (self.key is not None)

    @cached_property
    def size(self) -> int:
        """The bytes that it takes at most."""
        return sum(len(to_json(event)) for event in self.events) + _FRAME_BYTES * self.operations


class Creation(NamedTuple):
    """The documents of a request.

    Attributes:
        documents: The documents, those of each append together and its key first.
        owners: The append of each document, by its number in the group.
        answers: What the appends have appended once all documents are stored.
        head: The head of the stream then.
    """

    documents: list[Document]
    owners: list[int]
    answers: list[Appended]
    head: Head


def count_fitting(appends: Iterable[Append]) -> int:
    """Return how many of the appends go into one request, the first ones and at least one.

    One with an expected head goes alone, because it must follow that head directly. No key comes
    twice, because the later one has to see what the earlier one stored.
    """
    count = operations = size = 0
    keys: set[str] = set()
    for append in appends:
        if append.expected:
            return max(count, 1)
        operations += append.operations
        size += append.size
        is_full = operations > MAX_OPERATIONS or size > MAX_REQUEST_BYTES
        if count and (is_full or (append.key and append.key.id in keys)):
            break
        count += 1
        if append.key:
            keys.add(append.key.id)
    return count


def create_documents(appends: Sequence[Append], head: Head, now: datetime) -> Creation:
    """Return the documents that store appends behind a head.

    Their times grow with their positions, whatever the clock says.

    Raises:
        ValueError: If the time of the head, or of an append, is not a time.
    """
    documents: list[Document] = []
    owners: list[int] = []
    answers: list[Appended] = []
    position, time = head
    for owner, append in enumerate(appends):
        first, last = len(documents), position + len(append.events)
        moment = parse_time(append.time) if append.time else now
        answers.append(Appended(last, len(append.events)))
        for event in append.events:
            position += 1
            time = next_time(moment, *filter(None, (time,)))
            meta = {**event["meta"], "token": append.token}
            numbered = {"id": own_event_id(position), "position": position, "time": time}
            documents.append({**event, **numbered, "meta": meta})
        if append.key:
            stream_id, token = append.stream_id, append.token
            key = key_document(append.key, stream_id, token, time, answers[-1])
            documents.insert(first, key)
        owners += [owner] * (len(documents) - first)
    return Creation(documents, owners, answers, Head(position, time))


def head_at(document: Mapping[str, Any]) -> Head:
    """Return the head that an own event was when it was stored.

    Raises:
        ReservedIdError: If another program wrote it.
    """
    position, time = own_event_position(document["id"]), valid_time(document)
    if position is None or not time:
        raise ReservedIdError(
            f"Document {document['id']} in stream {document.get('streamId')} is not an event of a "
            "command, or its time is invalid. The ids of n and digits are the engine's: store it "
            "under another id."
        )
    return Head(position, time)


def valid_time(document: Mapping[str, Any] | None) -> str:
    """Return the time of a document, "" if it has none."""
    try:
        return canonical_time((document or {})["time"])
    except (KeyError, TypeError, ValueError):
        return ""
