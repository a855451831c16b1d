"""What a check is, and whether what it saw is what is believed: values and pure functions."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from local.conformance.workspace import Workspace


@dataclass(frozen=True, kw_only=True)
class Between:
    """A belief about a figure: a range, and where it comes from."""

    low: float
    high: float
    source: str

    def __str__(self) -> str:
        """Return the range and its source."""
        return f"{self.low:g} to {self.high:g} ({self.source})"


Belief = str | Between
Observation = str | float


class NotCheckableError(Exception):
    """This account or this run cannot show it; says why."""


@dataclass(frozen=True, kw_only=True)
class Check:
    """A belief, and how to see whether it is true.

    Attributes:
        name: The subject and the belief, as in `batch.refused`.
        believed: A text that the observation must equal, or a range that must hold it.
        observe: Sends requests and returns what came of them.
    """

    name: str
    believed: Belief
    observe: Callable[[Workspace], Awaitable[Observation]]


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What a check found; `ok` is None where it could not be checked."""

    name: str
    believed: str
    seen: str
    ok: bool | None

    def to_dict(self) -> dict[str, Any]:
        """Return the finding as JSON has it."""
        return asdict(self)


REGISTERED: list[Check] = []
"""All checks, in the order of their definition."""


def check(
    name: str, *, believed: Belief
) -> Callable[
    [Callable[[Workspace], Awaitable[Observation]]], Callable[[Workspace], Awaitable[Observation]]
]:
    """Return a decorator that registers a function as a check."""

    def register(
        observe: Callable[[Workspace], Awaitable[Observation]],
    ) -> Callable[[Workspace], Awaitable[Observation]]:
        REGISTERED.append(Check(name=name, believed=believed, observe=observe))
        return observe

    return register


def judge(subject: Check, seen: Observation) -> Finding:
    """Return whether the observation is what is believed."""
    believed = subject.believed
    if isinstance(believed, Between):
        ok = isinstance(seen, (int, float)) and believed.low <= seen <= believed.high
    else:
        ok = seen == believed
    text = seen if isinstance(seen, str) else f"{seen:g}"
    return Finding(name=subject.name, believed=str(believed), seen=text, ok=ok)
