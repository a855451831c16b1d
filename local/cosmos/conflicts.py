"""Conflicts between write regions: an account with one has none of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from local.cosmos.calls import Answer, Call, resource
from local.cosmos.errors import bad_request, not_found

if TYPE_CHECKING:
    from typing import NoReturn

_KEY = "x-ms-documentdb-partitionkey"
_CROSS_PARTITION = "x-ms-documentdb-query-enablecrosspartition"


def list_conflicts(call: Call) -> Answer:
    """Answer GET and queries of .../conflicts with an empty list.

    Raises:
        ServiceError: 400, if a query names neither a partition key nor all partitions.
    """
    container = call.container()
    if call.verb == "QUERY" and _KEY not in call.headers and not call.flag(_CROSS_PARTITION):
        raise bad_request(
            "Cross partition query is required but disabled: name a partition key "
            f"({_KEY}), or set {_CROSS_PARTITION} to true."
        )
    return resource({"_rid": container.rid, "Conflicts": [], "_count": 0})


def conflict(call: Call) -> NoReturn:
    """Refuse GET and DELETE .../conflicts/{id}.

    Raises:
        ServiceError: 404.
    """
    call.container()
    raise not_found(f"Conflict {call.ids[2]!r}")
