"""The answers of the HTTP functions that are not values of other packages."""

from __future__ import annotations

from core.camel_model import CamelModel


class AcceptedCommand(CamelModel):
    """A command that appended its events."""

    event_ids: tuple[str, ...]
    """The ids of the events, in order."""

    position: int | None
    """The position of the last one, null if the command appended nothing."""
