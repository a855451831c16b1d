"""Which values of a document an indexing policy has indexed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass
class _Rule:
    """What the policy says of one place of a document; None where it says nothing.

    Attributes:
        below: For everything from here on (`/path/*`).
        here: For the value at this place (`/path/?`).
    """

    below: bool | None = None
    here: bool | None = None
    children: dict[str, _Rule] = field(default_factory=dict)


class IndexedPaths:
    """An indexing policy, ready to be asked; of several rules the most precise one counts.

    Args:
        policy: The policy as containers have it: `includedPaths`, `excludedPaths`.
    """

    def __init__(self, policy: dict[str, Any]) -> None:
        self._root = _Rule()
        for listed, included in (("includedPaths", True), ("excludedPaths", False)):
            for each in policy.get(listed) or ():
                self._add(str(each["path"]), included=included)
        self._indexes = policy.get("indexingMode") != "none"

    def count(self, document: dict[str, Any]) -> int:
        """How many scalar values of the document are indexed."""
        return _count(self._root, document, inherited=False) if self._indexes else 0

    def _add(self, path: str, *, included: bool) -> None:
        *steps, last = [step.strip('"') for step in path.split("/")[1:]]
        rule = self._root
        for step in steps:
            rule = rule.children.setdefault(step, _Rule())
        if last == "*":
            rule.below = included
        else:
            rule.here = included


def _count(rule: _Rule | None, value: object, *, inherited: bool) -> int:
    if rule is None:
        return _scalars(value) if inherited else 0
    below = inherited if rule.below is None else rule.below
    if isinstance(value, dict):
        return sum(
            _count(rule.children.get(name), each, inherited=below) for name, each in value.items()
        )
    if isinstance(value, list):
        return sum(_count(rule.children.get("[]"), each, inherited=below) for each in value)
    return int(below if rule.here is None else rule.here)


def _scalars(value: object) -> int:
    if isinstance(value, dict):
        return sum(map(_scalars, value.values()))
    if isinstance(value, list):
        return sum(map(_scalars, value))
    return 1
