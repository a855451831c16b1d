"""Appends to one stream that come at the same time, sent together."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from core.errors import EngineError
from core.quotas import MAX_OPERATIONS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from core.model.documents import Document
    from core.throttling.deadline import Deadline

    Send = Callable[[str, list[Document], Deadline], Awaitable[None]]


@dataclass(frozen=True, kw_only=True)
class _Append:
    documents: list[Document]
    deadline: Deadline
    done: asyncio.Future[None] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )


class AppendQueue:
    """While a request for a stream is on its way, later appends to it gather for the next one.

    A request costs the SDK over a millisecond of CPU, whether it carries one event or many, so
    that a hot stream would otherwise keep a whole worker busy. Each append still succeeds or
    fails for itself: when a joint request fails, its appends are sent one by one.

    Args:
        send: Sends documents to a stream, all or none; must be safe to repeat.
    """

    def __init__(self, send: Send) -> None:
        self._send = send
        self._waiting: dict[str, deque[_Append]] = {}
        self._senders: set[asyncio.Task[None]] = set()

    async def append(self, stream_id: str, documents: list[Document], deadline: Deadline) -> None:
        """Return when these documents are durable; appends to a stream keep their order.

        Raises:
            EngineError: Whatever `send` raised for them.
        """
        append = _Append(documents=documents, deadline=deadline)
        if stream_id in self._waiting:
            self._waiting[stream_id].append(append)
        else:
            self._waiting[stream_id] = deque([append])
            sender = asyncio.create_task(self._send_all(stream_id), name=f"append {stream_id}")
            self._senders.add(sender)
            sender.add_done_callback(self._senders.discard)
        await append.done

    async def _send_all(self, stream_id: str) -> None:
        waiting = self._waiting[stream_id]
        try:
            while waiting:
                await self._send_group(stream_id, _take(waiting))
        finally:
            del self._waiting[stream_id]
            for append in waiting:
                append.done.cancel()

    async def _send_group(self, stream_id: str, group: list[_Append]) -> None:
        together = [document for append in group for document in append.documents]
        deadline = min((append.deadline for append in group), key=lambda each: each.remaining())
        try:
            await self._send(stream_id, together, deadline)
        except EngineError as error:
            if len(group) == 1:
                _settle(group, error)
            for append in group if len(group) > 1 else ():
                await self._send_group(stream_id, [append])
        except asyncio.CancelledError as error:
            _settle(group, error)
            raise
        except Exception as error:  # noqa: BLE001 - told to those whom it concerns; others go on
            _settle(group, error)
        else:
            _settle(group, None)


def _settle(group: list[_Append], error: BaseException | None) -> None:
    """Tell those who still wait how it ended."""
    for append in group:
        if append.done.done():
            continue
        if error is None:
            append.done.set_result(None)
        elif isinstance(error, asyncio.CancelledError):
            append.done.cancel()
        else:
            append.done.set_exception(error)


def _take(waiting: deque[_Append]) -> list[_Append]:
    """The appends that go into one request together; at least one."""
    group = [waiting.popleft()]
    count = len(group[0].documents)
    while waiting and count + len(waiting[0].documents) <= MAX_OPERATIONS:
        count += len(waiting[0].documents)
        group.append(waiting.popleft())
    return group
