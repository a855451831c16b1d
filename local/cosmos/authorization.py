"""Checks that the roles of a principal allow the data actions that a request needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from local.cosmos.errors import forbidden

if TYPE_CHECKING:
    from collections.abc import Iterator

    from local.cosmos.errors import ServiceError
    from local.cosmos.messages import Request
    from local.cosmos.permissions import Principal

_ACCOUNT = "Microsoft.DocumentDB/databaseAccounts"
_CONTAINERS = f"{_ACCOUNT}/sqlDatabases/containers"
_READ_METADATA = f"{_ACCOUNT}/readMetadata"
_NOT_SUPPORTED, _METADATA, _BY_NAME, _BY_RID = 5300, 5301, 5302, 5303

_COLL = "dbs/*/colls/*"
_METADATA_SHAPES = frozenset({"", "dbs", "dbs/*", "dbs/*/colls", _COLL, f"{_COLL}/pkranges"})
_READS = frozenset({"GET", "QUERY", "CHANGES"})
_ACTIONS = {
    ("CHANGES", "docs"): "readChangeFeed",
    ("GET", "docs"): "readChangeFeed",
    ("QUERY", "docs"): "executeQuery",
    ("PLAN", "docs"): "executeQuery",
    ("POST", "docs"): "items/create",
    ("UPSERT", "docs"): "items/upsert",
    ("GET", "docs/*"): "items/read",
    ("PUT", "docs/*"): "items/replace",
    ("PATCH", "docs/*"): "items/replace",
    ("DELETE", "docs/*"): "items/delete",
    ("POST", "operations/*"): "items/delete",
    ("GET", "conflicts"): "manageConflicts",
    ("QUERY", "conflicts"): "manageConflicts",
    ("GET", "conflicts/*"): "manageConflicts",
    ("DELETE", "conflicts/*"): "manageConflicts",
}
_OPERATIONS = {
    "Create": "items/create",
    "Upsert": "items/upsert",
    "Read": "items/read",
    "Replace": "items/replace",
    "Patch": "items/replace",
    "Delete": "items/delete",
}


def authorize(request: Request) -> None:
    """Check that the roles of a request's principal allow it.

    Every SDK starts by reading the account. The right to read any metadata suffices for that.

    Raises:
        ServiceError: 403, if a data action is not allowed, or if no role can allow the request.
    """
    principal = request.principal
    if principal is None:
        return
    resource = "/" + "/".join(request.segments[: min(len(request.segments) // 2 * 2, 4)])
    for action in _required_actions(request):
        if not any(
            role.allows(action, resource if request.segments else role.scope)
            for role in principal.roles
        ):
            raise _not_allowed(request, principal, action, resource)


def _required_actions(request: Request) -> Iterator[str]:
    if request.kind == "BATCH":
        yield from _batch_actions(request.json())
    elif request.kind in _READS and request.shape in _METADATA_SHAPES:
        yield _READ_METADATA
    else:
        is_upsert = request.kind == "POST" and request.has_flag("x-ms-documentdb-is-upsert")
        below = request.shape.removeprefix(f"{_COLL}/")
        action = _ACTIONS.get(("UPSERT" if is_upsert else request.kind, below))
        if action is None:
            raise forbidden(
                f"The given request [{request.kind.replace('QUERY', 'POST')} "
                f"/{'/'.join(request.segments)}] cannot be authorized by AAD token in data plane.",
                sub_status=_NOT_SUPPORTED,
            )
        yield f"{_CONTAINERS}/{action}"


def _batch_actions(operations: object) -> Iterator[str]:
    for operation in operations if isinstance(operations, list) else ():
        kind = operation.get("operationType") if isinstance(operation, dict) else None
        if kind in _OPERATIONS:
            yield f"{_CONTAINERS}/{_OPERATIONS[kind]}"


def _not_allowed(
    request: Request, principal: Principal, action: str, resource: str
) -> ServiceError:
    by_link = _BY_RID if request.is_by_rid else _BY_NAME
    return forbidden(
        f"Request is blocked because principal [{principal.id}] does not have required RBAC "
        f"permissions to perform action [{action}] on resource [{resource[1:] or '/'}].",
        sub_status=_METADATA if action == _READ_METADATA else by_link,
    )
