"""Principals, and the roles that allow them data actions on resources (pure)."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class Role:
    """An assigned role definition.

    Attributes:
        data_actions: The allowed data actions; `*` matches any characters.
        scope: The scope of the assignment: `/`, `/dbs/{id}` or `/dbs/{id}/colls/{id}`.
    """

    data_actions: tuple[str, ...]
    scope: str = "/"

    def allows(self, action: str, resource: str) -> bool:
        """Return whether the role allows an action on a resource, whose path is like a scope."""
        is_inside = f"{resource.rstrip('/')}/".startswith(f"{self.scope.rstrip('/')}/")
        return is_inside and any(fnmatchcase(action, pattern) for pattern in self.data_actions)


@dataclass(frozen=True)
class Principal:
    """An identity other than the owner of the account.

    Attributes:
        id: The id, which error messages name.
        roles: The assigned roles.
    """

    id: str
    roles: Sequence[Role]
