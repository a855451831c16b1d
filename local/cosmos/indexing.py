"""Which terms of a document an indexing policy has indexed (pure)."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any

from local.cosmos.paths import parse_path

_MISSING = object()


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

    The service always indexes `id`, unless nothing is indexed at all.

    Args:
        policy: The policy as containers have it: `includedPaths`, `excludedPaths`.
    """

    def __init__(self, policy: dict[str, Any]) -> None:
        self._root = _Rule()
        for listed, included in (("includedPaths", True), ("excludedPaths", False)):
            for entry in policy.get(listed) or ():
                self._add(str(entry["path"]), included=included)
        self._root.children.setdefault("id", _Rule()).here = True
        self._indexes = policy.get("indexingMode") != "none"

    def count(self, document: dict[str, Any]) -> int:
        """Return the number of index terms of a document."""
        return _count(self._root, document, inherited=False) if self._indexes else 0

    def count_changes(self, before: dict[str, Any], after: dict[str, Any]) -> int:
        """Return the number of index terms that differ between two versions of a document."""
        return _count_changes(self._root, before, after, inherited=False) if self._indexes else 0

    def _add(self, path: str, *, included: bool) -> None:
        *parents, last = parse_path(path)
        rule = self._root
        for segment in parents:
            rule = rule.children.setdefault(segment.name, _Rule())
        if last.name == "*":
            rule.below = included
        else:
            rule.here = included


def _count(rule: _Rule | None, value: object, *, inherited: bool) -> int:
    if value is _MISSING:
        return 0
    if rule is None:
        return _terms(value) if inherited else 0
    below = inherited if rule.below is None else rule.below
    if isinstance(value, dict) and value:
        names = value if below else rule.children.keys() & value.keys()
        return sum(
            [_count(rule.children.get(name), value[name], inherited=below) for name in names]
        )
    if isinstance(value, list):
        elements = rule.children.get("[]")
        return below + sum(_count(elements, element, inherited=below) for element in value)
    return int(below if rule.here is None else rule.here)


def _terms(value: object) -> int:
    """Return the number of terms of a branch that is indexed as a whole."""
    if isinstance(value, dict) and value:
        return sum(map(_terms, value.values()))
    if isinstance(value, list):
        return 1 + sum(map(_terms, value))
    return 1


def _count_changes(rule: _Rule | None, before: object, after: object, *, inherited: bool) -> int:
    if before == after or (rule is None and not inherited):
        return 0
    rule = rule or _Rule()
    below = inherited if rule.below is None else rule.below
    if isinstance(before, dict) and isinstance(after, dict):
        return sum(
            _count_changes(
                rule.children.get(name),
                before.get(name, _MISSING),
                after.get(name, _MISSING),
                inherited=below,
            )
            for name in (before.keys() | after.keys() if below else rule.children)
        )
    if isinstance(before, list) and isinstance(after, list):
        elements = rule.children.get("[]")
        return sum(
            _count_changes(elements, old, new, inherited=below)
            for old, new in zip_longest(before, after, fillvalue=_MISSING)
        )
    return max(_count(rule, value, inherited=inherited) for value in (before, after))
