"""Requests for conflicts between write regions; an account with one region has none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from local.cosmos.errors import bad_request, not_found
from local.cosmos.messages import Request, Response, json_response

if TYPE_CHECKING:
    from typing import NoReturn

_KEY = "x-ms-documentdb-partitionkey"
_CROSS_PARTITION = "x-ms-documentdb-query-enablecrosspartition"


def list_conflicts(request: Request) -> Response:
    """Return the empty list of conflicts (GET or query .../conflicts).

    Raises:
        ServiceError: 400, if a query names neither a partition key nor all partitions.
    """
    container = request.container()
    is_allowed = _KEY in request.headers or request.has_flag(_CROSS_PARTITION)
    if request.kind == "QUERY" and not is_allowed:
        raise bad_request(
            "Cross partition query is required but disabled: name a partition key "
            f"({_KEY}), or set {_CROSS_PARTITION} to true."
        )
    return json_response({"_rid": container.rid, "Conflicts": [], "_count": 0})


def raise_conflict_not_found(request: Request) -> NoReturn:
    """Raise the error for GET and DELETE .../conflicts/{id}.

    Raises:
        ServiceError: 404, always.
    """
    request.container()
    raise not_found(f"Conflict {request.ids[2]!r}")
