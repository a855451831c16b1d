"""PoisonEvent events: those that no attempt can project."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class PoisonEvent:
    """An event that no attempt can project, and why.

    `projection` is None where the document could not be read at all. `stream_id` and `event_id`
    are whatever the document holds there. `order` is its place in its stream; `blocks` says that
    the line must wait for it.
    """

    module: str
    projection: str | None
    stream_id: Any
    event_id: Any
    reason: str
    error_type: str
    traceback: str = ""
    order: str = ""
    blocks: bool = False
