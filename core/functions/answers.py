"""The answers of the HTTP functions that are not values of other packages."""

from __future__ import annotations

from typing import Literal

from core.camel_model import CamelModel


class AcceptedCommand(CamelModel):
    """A command that appended its events."""

    event_ids: tuple[str, ...]
    """The ids of the events, in order."""

    position: int | None
    """The position of the last one, null if the command appended nothing."""


class BlockingEvent(CamelModel):
    """An event that blocks a lease."""

    module: str
    """The name of the module."""

    projection: str | None
    """The name of the projection; null for events that cannot be read."""

    event_id: str
    """The id of the event."""

    error_type: str
    """The name of the error."""


class Health(CamelModel):
    """Whether settings and Cosmos DB are usable."""

    status: Literal["ok", "blocked"]
    """Whether a lease is blocked."""

    blocked: tuple[BlockingEvent, ...]
    """The events that block leases."""
