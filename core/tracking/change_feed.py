"""Looks into the change feed behind a lease's checkpoint; the SDK's side of the tracker."""

from __future__ import annotations

import base64
import json
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from core.cosmos.errors import translate_errors
from core.cosmos.key_ranges import KeyRange
from core.cosmos.partitions import range_ids
from core.cosmos.requests import fetch_all, run_request
from core.errors import LeaseFormatError
from core.tracking.lag import FeedProbe, session_lsn

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping

    from azure.cosmos.aio import ContainerProxy

_PAGE = 100


@dataclass(frozen=True, kw_only=True)
class ChangeFeed:
    """The change feed of the events container; only read.

    Attributes:
        container: The monitored container.
    """

    container: ContainerProxy

    async def probe(self, checkpoint: str | None, place: KeyRange, rid: str) -> FeedProbe:
        """One look behind a checkpoint, at one part of the key space.

        Raises:
            CosmosError: It cannot be read.
            LeaseFormatError: The answer does not tell an LSN.
        """
        headers: dict[str, str] = {}
        async with aclosing(self._changes(checkpoint, place, rid, headers, limit=1)) as changes:
            first: dict[str, Any] = await anext(changes, {})
        if "x-ms-session-token" not in headers:
            raise LeaseFormatError(
                f"The feed of {place.start}-{place.end} came without a session token."
            )
        if first and not isinstance(first.get("_lsn"), int):
            raise LeaseFormatError(
                f"The feed of {place.start}-{place.end} has an item without _lsn."
            )
        return FeedProbe(
            session_lsn=session_lsn(headers["x-ms-session-token"]),
            first_lsn=first.get("_lsn"),
            first_time=first.get("_ts"),
        )

    async def contains_after(
        self, checkpoint: str, place: KeyRange, rid: str, event: tuple[str, str]
    ) -> bool:
        """Whether an event (stream and id) comes behind a checkpoint.

        Raises:
            CosmosError: It cannot be read.
        """
        async with aclosing(self._changes(checkpoint, place, rid, {}, limit=_PAGE)) as changes:
            async for item in changes:
                if (item.get("streamId"), item.get("id")) == event:
                    return True
        return False

    async def _changes(
        self,
        checkpoint: str | None,
        place: KeyRange,
        rid: str,
        headers: dict[str, str],
        *,
        limit: int,
    ) -> AsyncGenerator[dict[str, Any], None]:
        """Items behind a checkpoint; the headers of the first answer are noted."""

        def note(run_request: Mapping[str, str], _: object) -> None:
            if not headers:
                headers.update({name.lower(): value for name, value in run_request.items()})

        if checkpoint is None:
            start: dict[str, Any] = {"start_time": "Beginning", "feed_range": _feed_range(place)}
        else:
            start = {"continuation": build_continuation(checkpoint, place, rid)}
        with translate_errors(f"reading the change feed of {place.start}-{place.end}"):
            items = self.container.query_items_change_feed(
                max_item_count=limit, response_hook=note, **start
            )
            async for item in items:
                yield item

    async def partitions(self) -> list[KeyRange]:
        """The physical partitions of today.

        Raises:
            CosmosError: They cannot be read.
        """
        ranges = self.container.read_feed_ranges(force_refresh=True)
        found = await fetch_all("reading the physical partitions", ranges)
        return [_key_range(each["Range"]) for each in found]

    async def ranges_by_id(self) -> dict[str, KeyRange]:
        """Physical partitions by id, for leases of old versions, which name nothing else."""
        found: dict[str, KeyRange] = {}

        def note(response: Any) -> None:  # noqa: ANN401 - azure-core's pipeline response
            for (low, high), range_id in range_ids(response).items():
                found[range_id] = KeyRange(start=low, end=high)

        ranges = self.container.read_feed_ranges(force_refresh=True, raw_response_hook=note)
        await fetch_all("reading the physical partitions", ranges)
        return found

    async def rid(self) -> str:
        """The container's resource id, which is part of its leases' ids.

        Raises:
            CosmosError: It cannot be read.
        """
        found = await run_request("reading the events container", self.container.read())
        return str(found["_rid"])

    async def key_range_of(self, stream_id: str) -> KeyRange:
        """The stream's own part of the key space: one effective partition key."""
        found = await run_request(
            f"locating stream {stream_id}", self.container.feed_range_from_partition_key(stream_id)
        )
        start = str(found["Range"]["min"])
        return KeyRange(start=start, end=f"{int(start, 16) + 1:0{len(start)}X}")


def build_continuation(checkpoint: str, place: KeyRange, rid: str) -> str:
    """The SDK's continuation (version 2) that begins behind a lease's checkpoint.

    The form is the SDK's own and not published; `requirements.txt` bounds its version.
    """
    span = _feed_range(place)["Range"]
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


def _feed_range(place: KeyRange) -> dict[str, Any]:
    return {
        "Range": {
            "min": place.start,
            "max": place.end,
            "isMinInclusive": True,
            "isMaxInclusive": False,
        }
    }


def _key_range(span: Mapping[str, Any]) -> KeyRange:
    return KeyRange(start=str(span["min"]), end=str(span["max"]))
