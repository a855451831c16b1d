"""The index terms of documents and the sort orders that an indexing policy implies (pure)."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from local.cosmos.paths import parse_path

if TYPE_CHECKING:
    from collections.abc import Sequence

_MISSING = object()


@dataclass
class _Rule:
    """The rules of an indexing policy for one path; None means no rule.

    Attributes:
        below: Whether the whole branch is indexed (`/path/*`).
        here: Whether the value at the path is indexed (`/path/?`).
        children: The rules for longer paths, by their next segment.
    """

    below: bool | None = None
    here: bool | None = None
    children: dict[str, _Rule] = field(default_factory=dict)


class IndexedPaths:
    """The paths that an indexing policy includes; the most precise rule wins.

    The service always indexes `id` and `_ts`, unless nothing is indexed.

    Args:
        policy: The policy of a container: `includedPaths`, `excludedPaths`, `compositeIndexes`.
    """

    def __init__(self, policy: dict[str, Any]) -> None:
        self._root = _Rule()
        for listed, included in (("includedPaths", True), ("excludedPaths", False)):
            for entry in policy.get(listed) or ():
                self._add(str(entry["path"]), included=included)
        for name in ("id", "_ts"):
            self._root.children.setdefault(name, _Rule()).here = True
        self._indexes = policy.get("indexingMode") != "none"
        self._composites = [
            [(_steps(entry["path"]), entry.get("order") == "descending") for entry in composite]
            for composite in policy.get("compositeIndexes") or ()
        ]

    def count(self, document: dict[str, Any]) -> int:
        """Return the number of index terms of a document."""
        return _count(self._root, document, inherited=False) if self._indexes else 0

    def count_changes(self, before: dict[str, Any], after: dict[str, Any]) -> int:
        """Return the number of index terms that differ between two versions of a document."""
        return _count_changes(self._root, before, after, inherited=False) if self._indexes else 0

    def includes(self, steps: Sequence[str | int]) -> bool:
        """Return whether the values at a path of documents are indexed."""
        rule, below = self._root, bool(self._root.below)
        for step in steps:
            rule = rule.children.get("[]" if isinstance(step, int) else step) or _Rule()
            below = below if rule.below is None else rule.below
        return self._indexes and (below if rule.here is None else rule.here)

    def sorts_by(self, order: Sequence[tuple[Sequence[str | int], bool]]) -> bool:
        """Return whether a composite index has the given paths and directions, or their reverse.

        Args:
            order: The paths, each with whether it descends.
        """
        sorting = [(tuple(steps), descending) for steps, descending in order]
        reverse = [(steps, not descending) for steps, descending in sorting]
        return any(composite in (sorting, reverse) for composite in self._composites)

    def _add(self, path: str, *, included: bool) -> None:
        *parents, last = parse_path(path)
        rule = self._root
        for segment in parents:
            rule = rule.children.setdefault(segment.name, _Rule())
        if last.name == "*":
            rule.below = included
        else:
            rule.here = included


def _steps(path: str) -> tuple[str, ...]:
    return tuple(segment.name for segment in parse_path(path))


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
    """Return the number of index terms of a branch that is completely indexed."""
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
