"""Batches concurrent appends to a stream."""

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
    """Batches concurrent appends: while one request is in flight, later appends share the next one.

    A request costs the SDK over a millisecond of processor time, whether it has one event or many,
    so that a hot stream would otherwise keep a whole worker busy. An append still succeeds or fails
    individually: when a shared request fails, its appends are sent one by one.

    Args:
        send: A function that sends documents to a stream, all or none, and is safe to repeat.
    """

    def __init__(self, send: Send) -> None:
        self._send = send
        self._waiting: dict[str, deque[_Append]] = {}
        self._senders: set[asyncio.Task[None]] = set()

    async def append(self, stream_id: str, documents: list[Document], deadline: Deadline) -> None:
        """Return when the documents are durable, in the order of the appends to the stream.

        Raises:
            EngineError: If `send` raises it for them.
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
                await self._send_group(stream_id, _next_group(waiting))
        finally:
            del self._waiting[stream_id]
            for append in waiting:
                append.done.cancel()

    async def _send_group(self, stream_id: str, group: list[_Append]) -> None:
        documents = [document for append in group for document in append.documents]
        deadline = min((append.deadline for append in group), key=lambda one: one.remaining())
        try:
            await self._send(stream_id, documents, deadline)
        except EngineError as error:
            if len(group) == 1:
                _resolve(group, error)
            for append in group if len(group) > 1 else ():
                await self._send_group(stream_id, [append])
        except asyncio.CancelledError as error:
            _resolve(group, error)
            raise
        except Exception as error:  # noqa: BLE001 - fails only the appends in this group
            _resolve(group, error)
        else:
            _resolve(group, None)


def _resolve(group: list[_Append], error: BaseException | None) -> None:
    """Resolve the appends that still wait."""
    for append in group:
        if append.done.done():
            continue
        if error is None:
            append.done.set_result(None)
        elif isinstance(error, asyncio.CancelledError):
            append.done.cancel()
        else:
            append.done.set_exception(error)


def _next_group(waiting: deque[_Append]) -> list[_Append]:
    """Return the appends that fit into the next request, at least one."""
    group = [waiting.popleft()]
    count = len(group[0].documents)
    while waiting and count + len(waiting[0].documents) <= MAX_OPERATIONS:
        count += len(waiting[0].documents)
        group.append(waiting.popleft())
    return group
