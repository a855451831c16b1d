"""Principals and their roles: who may do what with which resource (pure)."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class Role:
    """A role definition as it is assigned to a principal.

    Attributes:
        data_actions: The allowed data actions; `*` stands for any characters.
        scope: The scope of the assignment: `/`, `/dbs/{id}` or `/dbs/{id}/colls/{id}`.
    """

    data_actions: tuple[str, ...]
    scope: str = "/"

    def allows(self, action: str, resource: str) -> bool:
        """Return whether the role allows an action on a resource, a path like a scope."""
        is_inside = f"{resource.rstrip('/')}/".startswith(f"{self.scope.rstrip('/')}/")
        return is_inside and any(fnmatchcase(action, pattern) for pattern in self.data_actions)


@dataclass(frozen=True)
class Principal:
    """An identity that does not own the account.

    Attributes:
        id: The id in error messages.
        roles: The assigned roles.
    """

    id: str
    roles: Sequence[Role]
