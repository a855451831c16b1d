"""The rights that `infra/` gives to an identity, read from it."""

from __future__ import annotations

import json
import re
from pathlib import Path

from local.cosmos import Role

_ROOT = Path(__file__).parent.parent
_BICEP = (_ROOT / "infra" / "cosmos.bicep").read_text(encoding="utf-8")
_ROLES = _ROOT / "infra" / "roles.json"
_CONTAINERS = json.loads((_ROOT / "core" / "cosmos" / "containers.json").read_text("utf-8"))


def role_definitions() -> dict[str, tuple[str, ...]]:
    """Return the data actions of each role definition, by its symbol: `appender`, `editor`."""
    definitions: dict[str, list[str]] = json.loads(_ROLES.read_text("utf-8"))
    return {symbol: tuple(actions) for symbol, actions in definitions.items()}


def assigned_roles(database: str) -> list[Role]:
    """Return the roles that an identity is assigned, container by container."""
    assignment = re.search(
        r"\.name == '(\w+)'\s+\? account::(\w+)\.id\s+: account::(\w+)\.id\s+scope: '(.*)'", _BICEP
    )
    assert assignment is not None
    special, there, elsewhere, scope = assignment.groups()
    assert scope.startswith("${account.id}/dbs/${database.name}/colls/${definitions[")
    definitions = role_definitions()
    return [
        Role(definitions[there if name == special else elsewhere], f"/dbs/{database}/colls/{name}")
        for name in (container["name"] for container in _CONTAINERS)
    ]
