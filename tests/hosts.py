"""Processes that append to one stream of a container in memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any

from azure.core.exceptions import ServiceResponseError

from core.cosmos.partitions import PartitionMap
from core.errors import Refused
from core.streams.append_queue import AppendQueue
from core.streams.appender import Appender
from core.streams.appends import Append
from core.streams.deciding import DecisionMaker
from core.streams.event_store import EventStore
from core.streams.keys import Appended
from core.streams.reader import StreamReader
from tests.support import Document, FakeTime, MemoryContainer

S = "lamp-1"
NOW = datetime(2026, 1, 1, tzinfo=timezone.utc)
LOST = ServiceResponseError("reset")


@dataclass
class Host:
    """A process: its own queue and heads, and a clock that may be wrong."""

    container: MemoryContainer
    skew: timedelta = timedelta()
    clock: FakeTime = field(default_factory=FakeTime)
    serial: int = 0

    def __post_init__(self) -> None:
        opened: Any = self.container
        requests = self.clock.requests()
        partitions = PartitionMap(opened, requests)
        reader = StreamReader(container=opened, partitions=partitions, requests=requests)
        store = EventStore(reader=reader, sleep=self.clock.sleep)
        self.appender = Appender(store=store, now=lambda: NOW + self.skew, sleep=self.clock.sleep)
        self.queue = AppendQueue(self.appender)
        self.decisions = DecisionMaker(appender=self.appender, queue=self.queue)

    async def append(
        self, *names: str, position: int | None = None, seconds: float = 60, **changes: Any
    ) -> Appended:
        """Append events."""
        append = self._new_append(events(*names), seconds, **changes)
        return await self.queue.append(append, position)

    async def decide(
        self,
        decide: Callable[[list[str]], str | Refused | None],
        *,
        position: int | None = None,
        seconds: float = 60,
        **changes: Any,
    ) -> Appended:
        """Decide by the types of the events that are there."""

        async def decision(documents: Sequence[Document], _: datetime) -> list[Document] | Refused:
            answer = decide([document["type"] for document in documents])
            return answer if isinstance(answer, Refused) else events(*([answer] if answer else []))

        append = self._new_append([], seconds, **changes)
        return await self.decisions.execute(append, decision, position)

    def _new_append(self, documents: list[Document], seconds: float, **changes: Any) -> Append:
        self.serial += 1
        token, deadline = f"{id(self)}.{self.serial}", self.clock.deadline(seconds)
        return Append(stream_id=S, events=documents, token=token, deadline=deadline, **changes)


def events(*names: str) -> list[Document]:
    """Events as an append takes them."""
    return [{"streamId": S, "type": name, "version": 1, "data": {}, "meta": {}} for name in names]


def stored(container: MemoryContainer) -> list[str]:
    """The types of the own events by position, after a check of what always holds."""
    own = sorted(
        (document for document in container.documents.values() if document["id"][0] == "n"),
        key=lambda event: event["id"],
    )
    assert [event["position"] for event in own] == list(range(1, len(own) + 1))
    times = [event["time"] for event in own]
    assert times == sorted(set(times))
    return [event["type"] for event in own]


def fail_once(*errors: Exception) -> Callable[[str], Any]:
    """A hook that raises each error once."""
    left = list(errors)

    async def hook(_: str) -> None:
        if left:
            raise left.pop(0)

    return hook
