"""Poison events: those that no attempt can project."""

from __future__ import annotations

import traceback
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from core.errors import PoisonError
    from core.model.documents import Cause

_MAX_TRACEBACK_LENGTH = 8_000
"""The characters that are kept of a traceback: its end, where the error is."""


@dataclass(frozen=True, kw_only=True)
class PoisonEvent:
    """An event that a projection cannot process, and why.

    Attributes:
        module: The name of the projection module.
        cause: The event and its projection; no projection if the event cannot be read.
        error_type: The name of the error.
        reason: The message of the error.
        traceback: The traceback of the author's error, empty if there is none. It may quote the
            payload, so it is stored in the dead letter only.
        blocks: Whether the lease must not advance.
    """

    module: str
    cause: Cause
    error_type: str
    reason: str
    traceback: str
    blocks: bool

    @classmethod
    def from_error(
        cls, module: str, cause: Cause, error: PoisonError, *, blocks: bool
    ) -> PoisonEvent:
        """Return the poison event for an error."""
        original = error.__cause__
        text = "".join(traceback.format_exception(original)) if original else ""
        return cls(
            module=module,
            cause=cause,
            error_type=type(error).__name__,
            reason=str(error),
            traceback=text[-_MAX_TRACEBACK_LENGTH:],
            blocks=blocks,
        )
