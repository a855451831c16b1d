"""Events of the example and of the stations, as they are stored."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from local.harness.follows import Follow

TIME = "2026-01-02T03:04:05.000060Z"


def followed(number: int, follow: Follow) -> dict[str, Any]:
    """The event of a follow; the number makes its id."""
    return _event(
        f"follow-{number}",
        f"followship-{follow.follower}",
        "Followed",
        {"user_id": str(follow.follower), "to_follow": str(follow.followed)},
    )


def among(number: int, users: int) -> Follow:
    """The `number`th follow among so many users."""
    follower, target = number % users, (number * 7 + 1) % users
    return Follow(UUID(int=follower, version=4), UUID(int=target, version=4))


def poison(number: int, follow: Follow) -> dict[str, Any]:
    """Return the event of a follow without its data, so that it cannot be projected."""
    return {**followed(number, follow), "data": {}}


def announced(station: str, listeners: int, times: int) -> dict[str, Any]:
    """An announcement that fans out to `listeners` times `times` events."""
    data = {"station": station, "listeners": listeners, "times": times}
    return _event("announcement", f"station-{station}", "Announced", data)


def _event(event_id: str, stream: str, event_type: str, data: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": event_id,
        "streamId": stream,
        "type": event_type,
        "version": 1,
        "time": TIME,
        "data": data,
        "meta": {"correlationId": event_id, "hops": 0},
    }
