"""Poison events: those that no attempt can project."""

from __future__ import annotations

import hashlib
import json
import linecache
import traceback
from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING, NamedTuple

from core.errors import InvalidEventError

if TYPE_CHECKING:
    from core.errors import PoisonError
    from core.model.documents import Cause
    from core.model.registry import ProjectionModule

_GROUP_DIGITS = 12


class ProjectionFailure(NamedTuple):
    """Why an event cannot be projected.

    Attributes:
        error_type: The name of the engine's error.
        reason: The message of the error.
        exception_type: The name of the author's exception, None if there is none.
        place: The innermost line in the author's package with its file and function, or the invalid
            fields; empty if there is none. Edits elsewhere in the file do not change it.
        traceback: The traceback of the author's exception, empty if there is none. It may quote the
            payload, so it is stored in the dead letter only.
    """

    error_type: str
    reason: str
    exception_type: str | None = None
    place: str = ""
    traceback: str = ""

    @classmethod
    def from_error(cls, error: PoisonError, package: str) -> ProjectionFailure:
        """Return the failure that an error is, in code of the author's package."""
        original = error.__cause__
        fields = error.place if isinstance(error, InvalidEventError) else ""
        return cls(
            error_type=type(error).__name__,
            reason=str(error),
            exception_type=type(original).__name__ if original else None,
            place=fields or (_place(original, package) if original else ""),
            traceback="".join(traceback.format_exception(original)) if original else "",
        )

    def group(self, module: str, projection: str | None) -> str:
        """Return a hash that is the same for all failures of one kind in one place."""
        kind = self.exception_type or self.error_type
        parts = json.dumps([module, projection, kind, self.place])
        return hashlib.sha256(parts.encode()).hexdigest()[:_GROUP_DIGITS]


@dataclass(frozen=True, kw_only=True)
class PoisonEvent:
    """An event that a projection cannot process, and why.

    Attributes:
        module: The name of the projection module.
        cause: The event and its projection; no projection if the event cannot be read.
        failure: Why it cannot be processed.
        blocks: Whether the lease must not advance.
    """

    module: str
    cause: Cause
    failure: ProjectionFailure
    blocks: bool

    @classmethod
    def from_error(
        cls, module: ProjectionModule, cause: Cause, error: PoisonError, *, blocks: bool
    ) -> PoisonEvent:
        """Return the poison event for an error."""
        failure = ProjectionFailure.from_error(error, module.package)
        return cls(module=module.name, cause=cause, failure=failure, blocks=blocks)


def _place(error: BaseException, package: str) -> str:
    """Return the innermost line of a traceback inside a package, with its file and function."""
    frames = [
        (frame, line)
        for frame, line in traceback.walk_tb(error.__traceback__)
        if f"{frame.f_globals.get('__name__')}.".startswith(f"{package}.")
    ]
    if not frames:
        return ""
    frame, line = frames[-1]
    file, function = frame.f_code.co_filename, frame.f_code.co_name
    text = linecache.getline(file, line, frame.f_globals).strip()
    return f"{PurePath(file).name} {function}: {text}"
