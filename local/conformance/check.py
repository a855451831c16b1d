"""Checks and their evaluation, which only compute."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from local.conformance.workspace import Workspace


@dataclass(frozen=True, kw_only=True)
class ExpectedRange:
    """An expected number: a range with its source."""

    low: float
    high: float
    source: str

    def __str__(self) -> str:
        """Return the range and its source."""
        return f"{self.low:g} to {self.high:g} ({self.source})"


Expectation = str | ExpectedRange
Observation = str | float


class NotCheckableError(Exception):
    """The account or the options do not allow a check; the message says why."""


@dataclass(frozen=True, kw_only=True)
class Check:
    """An assumption, and a function that observes whether it holds.

    Attributes:
        name: The subject and the assumption, for example `batch.rejected`.
        expected: A text that the observation must equal, or a range that must contain it.
        observe: A function that sends requests and returns the observation.
    """

    name: str
    expected: Expectation
    observe: Callable[[Workspace], Awaitable[Observation]]


@dataclass(frozen=True, kw_only=True)
class Finding:
    """The result of a check, whose `passed` is None if it could not be checked."""

    name: str
    expected: str
    observed: str
    passed: bool | None

    def to_dict(self) -> dict[str, Any]:
        """Return the attributes by name."""
        return asdict(self)


REGISTERED: list[Check] = []
"""The checks in the order of their definition."""


def check(
    name: str, *, expected: Expectation
) -> Callable[
    [Callable[[Workspace], Awaitable[Observation]]], Callable[[Workspace], Awaitable[Observation]]
]:
    """Return a decorator that registers a function as a check."""

    def register(
        observe: Callable[[Workspace], Awaitable[Observation]],
    ) -> Callable[[Workspace], Awaitable[Observation]]:
        REGISTERED.append(Check(name=name, expected=expected, observe=observe))
        return observe

    return register


def evaluate(subject: Check, observed: Observation) -> Finding:
    """Return whether an observation is as expected."""
    expected = subject.expected
    if isinstance(expected, ExpectedRange):
        passed = not isinstance(observed, str) and expected.low <= observed <= expected.high
    else:
        passed = observed == expected
    text = observed if isinstance(observed, str) else f"{observed:g}"
    return Finding(name=subject.name, expected=str(expected), observed=text, passed=passed)
