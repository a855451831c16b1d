"""How far large fan-outs are, kept in the lease container for whoever goes on with them."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any, TypeVar

from core.cosmos.requests import fetch_all
from core.errors import NotFoundError
from core.ids import FAN_OUT_PROGRESS_PREFIX, fan_out_progress_id

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from azure.cosmos.aio import ContainerProxy

    from core.cosmos.retrying import Retrier
    from core.throttling.deadline import Deadline

ResultT = TypeVar("ResultT")

_PARTITION = "leases"
_KEPT_SECONDS = 30 * 24 * 3600
"""After a month nobody comes back for a fan-out; its cursor goes by itself."""


@dataclass(frozen=True, kw_only=True)
class FanOutProgress:
    """The first `position` derived events of a fan-out are durable.

    `fingerprint` is of these events: code that emits others must begin anew.
    """

    projection: str
    stream_id: str
    event_id: str
    position: int
    fingerprint: str

    def as_json(self) -> dict[str, Any]:
        """How far it is, by name."""
        return {
            "projection": self.projection,
            "stream": self.stream_id,
            "event": self.event_id,
            "derived": self.position,
        }

    @property
    def id(self) -> str:
        """Of its document."""
        return fan_out_progress_id(
            projection=self.projection, source_stream=self.stream_id, source_id=self.event_id
        )


@dataclass(frozen=True, kw_only=True)
class FanOutProgressStore:
    """The cursors in the lease container, beside the trigger's own documents.

    Attributes:
        container: The lease container.
        retrier: Tries again.
    """

    container: ContainerProxy
    retrier: Retrier

    async def all(self) -> list[FanOutProgress]:
        """The cursors of all fan-outs that are under way, or were given up.

        Raises:
            CosmosError: They cannot be read.
        """
        items = self.container.query_items(
            "SELECT * FROM c WHERE STARTSWITH(c.id, @prefix)",
            parameters=[{"name": "@prefix", "value": FAN_OUT_PROGRESS_PREFIX}],
        )
        return [_read(each) for each in await fetch_all("reading cursors", items)]

    async def find(self, cursor: FanOutProgress, deadline: Deadline) -> FanOutProgress | None:
        """The cursor that somebody left, here or in another process.

        Raises:
            DeadlineExceededError: Time ran out.
            CosmosError: Retrying cannot help.
        """
        found = await self._unless_absent(
            f"reading the cursor of event {cursor.event_id}",
            lambda: self.container.read_item(cursor.id, cursor.id),
            deadline,
        )
        return None if found is None else _read(found)

    async def save(self, cursor: FanOutProgress, deadline: Deadline) -> None:
        """Note that everything that was drawn so far is durable.

        Raises:
            DeadlineExceededError: Time ran out.
            CosmosError: Retrying cannot help.
        """
        document = {"id": cursor.id, **asdict(cursor), "ttl": _KEPT_SECONDS}
        await self.retrier.request(
            f"writing the cursor of event {cursor.event_id}",
            lambda: self.container.upsert_item(document),
            partition=_PARTITION,
            deadline=deadline,
        )

    async def remove(self, cursor: FanOutProgress, deadline: Deadline) -> None:
        """Forget it; harmless if it is gone.

        Raises:
            DeadlineExceededError: Time ran out.
            CosmosError: Retrying cannot help.
        """
        await self._unless_absent(
            f"removing the cursor of event {cursor.event_id}",
            lambda: self.container.delete_item(cursor.id, cursor.id),
            deadline,
        )

    async def _unless_absent(
        self, doing: str, send: Callable[[], Awaitable[ResultT]], deadline: Deadline
    ) -> ResultT | None:
        try:
            return await self.retrier.request(
                doing, send, partition=_PARTITION, deadline=deadline, absent=NotFoundError
            )
        except NotFoundError:
            return None


def _read(document: Mapping[str, Any]) -> FanOutProgress:
    return FanOutProgress(**{field.name: document[field.name] for field in fields(FanOutProgress)})
