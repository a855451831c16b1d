"""The change feed of the events container, read after the checkpoint of a lease."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from core.cosmos.key_ranges import KeyRange
from core.cosmos.partitions import range_ids
from core.cosmos.requests import QUERY_TIMEOUT_SECONDS, collect
from core.cosmos.sessions import session_lsn
from core.errors import LeaseFormatError
from core.tracking.lag import FeedProbe

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from azure.cosmos.aio import ContainerProxy

    from core.cosmos.requests import Requests
    from core.throttling.deadline import Deadline

ResultT = TypeVar("ResultT")

_LIMITER = "reads"
_PAGE_SIZE = 100


class SeenEvent(NamedTuple):
    """An event that exists: its stream, its id, and the LSN of a state that has it."""

    stream_id: str
    id: str
    lsn: int


@dataclass(frozen=True, kw_only=True)
class ChangeFeed:
    """Reads the change feed; writes nothing.

    Every method raises DeadlineExceededError if the deadline is reached, and CosmosError if Cosmos
    DB returns an error that is not retryable.

    Attributes:
        container: The events container.
        requests: What sends the requests.
    """

    container: ContainerProxy
    requests: Requests

    async def probe(
        self, checkpoint: str | None, key_range: KeyRange, rid: str, deadline: Deadline
    ) -> FeedProbe:
        """Return what comes first after a checkpoint in a part of the key space.

        Raises:
            LeaseFormatError: If the response has no LSN.
        """
        name = _name(key_range)
        return await self._send(
            name, lambda: self._probe(name, _start(checkpoint, key_range, rid)), deadline
        )

    async def contains_after(
        self,
        checkpoint: str,
        key_range: KeyRange,
        rid: str,
        event: SeenEvent,
        deadline: Deadline,
    ) -> bool | None:
        """Return whether an event comes after a checkpoint, None if that is not known.

        It is not known if a replica answers that may not have the event yet.
        """

        async def search() -> bool | None:
            lsns: list[int] = []
            items = self.container.query_items_change_feed(
                max_item_count=_PAGE_SIZE,
                response_hook=lambda headers, _: lsns.append(session_lsn(headers)),
                **_start(checkpoint, key_range, rid),
            )
            async for item in items:
                if (item.get("streamId"), item.get("id")) == (event.stream_id, event.id):
                    return True
            return False if lsns and lsns[-1] >= event.lsn else None

        return await self._send(_name(key_range), search, deadline)

    async def partitions(self, deadline: Deadline) -> list[KeyRange]:
        """Return the key ranges of the physical partitions."""
        ranges = await self._send(
            "the physical partitions",
            lambda: collect(self.container.read_feed_ranges(force_refresh=True)),
            deadline,
        )
        spans = [one["Range"] for one in ranges]
        return [KeyRange(start=str(span["min"]), end=str(span["max"])) for span in spans]

    async def ranges_by_id(self, deadline: Deadline) -> dict[str, KeyRange]:
        """Return the physical partitions by id, for leases of old versions, which name no range."""
        by_id: dict[str, KeyRange] = {}

        def store(response: Any) -> None:  # noqa: ANN401 - azure-core's pipeline response
            for (start, end), range_id in range_ids(response).items():
                by_id[range_id] = KeyRange(start=start, end=end)

        await self._send(
            "the physical partitions",
            lambda: collect(
                self.container.read_feed_ranges(force_refresh=True, raw_response_hook=store)
            ),
            deadline,
        )
        return by_id

    async def rid(self, deadline: Deadline) -> str:
        """Return the container's resource id, which is part of the ids of its leases."""
        properties = await self._send("the events container", self.container.read, deadline)
        return str(properties["_rid"])

    async def key_range_of(self, stream_id: str, deadline: Deadline) -> KeyRange:
        """Return the key range of one stream: a single effective partition key."""
        feed_range = await self._send(
            f"the place of stream {stream_id}",
            lambda: self.container.feed_range_from_partition_key(stream_id),
            deadline,
        )
        start = str(feed_range["Range"]["min"])
        return KeyRange(start=start, end=f"{int(start, 16) + 1:0{len(start)}X}")

    async def _send(
        self, name: str, read: Callable[[], Awaitable[ResultT]], deadline: Deadline
    ) -> ResultT:
        return await self.requests.send(
            f"reading {name}",
            lambda _: read(),
            partition=_LIMITER,
            deadline=deadline,
            timeout_seconds=QUERY_TIMEOUT_SECONDS,
        )

    async def _probe(self, name: str, start: dict[str, Any]) -> FeedProbe:
        responses: list[Mapping[str, str]] = []
        start["response_hook"] = lambda headers, _: responses.append(headers)
        items = self.container.query_items_change_feed(max_item_count=1, **start)
        first: dict[str, Any] = await anext(aiter(items), {})
        if not responses:
            raise LeaseFormatError(f"There is no response while reading {name}.")
        if first and not isinstance(first.get("_lsn"), int):
            raise LeaseFormatError(f"An item has no _lsn while reading {name}.")
        return FeedProbe(
            session_lsn=session_lsn(responses[0]),
            first_lsn=first.get("_lsn"),
            first_time=first.get("_ts"),
        )


def build_continuation(checkpoint: str, key_range: KeyRange, rid: str) -> str:
    """Return the SDK's continuation (version 2) that starts after the checkpoint of a lease.

    The form is the SDK's own and not published; `requirements.txt` bounds its version.
    """
    span = _feed_range(key_range)["Range"]
    content = {
        "v": "v2",
        "containerRid": rid,
        "mode": "LatestVersion",
        "startFrom": {"Type": "Beginning"},
        "continuation": {
            "v": "v2",
            "rid": rid,
            "continuation": [{"token": checkpoint, "range": span}],
            "Range": span,
        },
    }
    return base64.b64encode(json.dumps(content).encode()).decode()


def _name(key_range: KeyRange) -> str:
    return f"the change feed of {key_range.start}-{key_range.end}"


def _start(checkpoint: str | None, key_range: KeyRange, rid: str) -> dict[str, Any]:
    if checkpoint is None:
        return {"start_time": "Beginning", "feed_range": _feed_range(key_range)}
    return {"continuation": build_continuation(checkpoint, key_range, rid)}


def _feed_range(key_range: KeyRange) -> dict[str, Any]:
    return {
        "Range": {
            "min": key_range.start,
            "max": key_range.end,
            "isMinInclusive": True,
            "isMaxInclusive": False,
        }
    }
