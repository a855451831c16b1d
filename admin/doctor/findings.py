"""The findings of the doctor."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class Finding:
    """A problem of a deployment.

    Attributes:
        code: The identifier of this kind of problem, the same in every version.
        severity: An error stops projections or loses events; a warning costs money or time.
        message: What is wrong, with the value concerned.
        remedy: What to do.
    """

    code: str
    severity: Literal["error", "warning"]
    message: str
    remedy: str

    def to_dict(self) -> dict[str, str]:
        """Return the attributes by name."""
        return asdict(self)


def error(code: str, message: str, remedy: str) -> Finding:
    """Return a finding that stops projections or loses events."""
    return Finding(code=code, severity="error", message=message, remedy=remedy)


def warning(code: str, message: str, remedy: str) -> Finding:
    """Return a finding that costs money or time."""
    return Finding(code=code, severity="warning", message=message, remedy=remedy)
