"""What is wrong with a deployment, as status, health and doctor show it; pure."""

from __future__ import annotations

from typing import Literal

from core.camel_model import CamelModel


class Finding(CamelModel):
    """A problem of a deployment."""

    code: str
    """The identifier of this kind of problem, the same in every version."""

    severity: Literal["error", "warning"]
    """An error stops projections or loses events; a warning costs money or time."""

    message: str
    """What is wrong, with the value concerned."""

    remedy: str
    """What to do."""


def error(code: str, message: str, remedy: str) -> Finding:
    """Return a finding that stops projections or loses events."""
    return Finding(code=code, severity="error", message=message, remedy=remedy)


def warning(code: str, message: str, remedy: str) -> Finding:
    """Return a finding that costs money or time."""
    return Finding(code=code, severity="warning", message=message, remedy=remedy)
