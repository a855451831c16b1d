"""Events of the trial app, as they are stored."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from local.trial.projections.followship import UNLUCKY

TIME = "2026-01-02T03:04:05.000006Z"


def followed(number: int, users: int, *, poison: bool = False) -> dict[str, Any]:
    """The `number`th follow among so many users; poison is of somebody unlucky."""
    follower = UUID(int=number % users, version=4)
    target = (
        UUID(f"{UNLUCKY}{number:024x}") if poison else UUID(int=(number * 7 + 1) % users, version=4)
    )
    return _event(
        f"follow-{number}",
        f"followship-{follower}",
        "Followed",
        {"user_id": str(follower), "to_follow": str(target)},
    )


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
