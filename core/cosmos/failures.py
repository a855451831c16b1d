"""What an answer of Cosmos DB means for the next step, as a table."""

from __future__ import annotations

from enum import Enum

THROTTLED = frozenset({429, 449})
TRANSIENT = frozenset({0, 408, 410, 500, 502, 503, 504})
CONFIGURATION = frozenset({401, 403})

_MOVING = frozenset({(403, 3), (404, 1002)})
"""Write region moved, session not yet here: both pass by themselves."""

_MISFIT = frozenset({(404, 1003), (400, 1001)})
"""The container is not there, or has another partition key."""

_FULL = (403, 1014)
"""The stream has the 20 GB that a logical partition may have; others go on."""


class Failure(Enum):
    """The kinds of failure, by what to do about them."""

    THROTTLED = "wait as told, then again"
    TRANSIENT = "again with backoff"
    CONFIGURATION = "stop, and have the configuration corrected"
    NOT_FOUND = "the document is not there"
    CONFLICT = "the document is there already"
    REFUSED = "the request itself is at fault"


def classify(status: int, sub_status: int = 0) -> Failure:
    """The kind of failure for an HTTP status and Cosmos sub-status; 0 where no answer came.

    Source: HTTP status codes for Azure Cosmos DB (REST reference).
    """
    if (status, sub_status) in _MOVING or status in TRANSIENT:
        return Failure.TRANSIENT
    if status in THROTTLED:
        return Failure.THROTTLED
    forbidden = status in CONFIGURATION and (status, sub_status) != _FULL
    if forbidden or (status, sub_status) in _MISFIT:
        return Failure.CONFIGURATION
    if status == 404:  # noqa: PLR2004 - the table speaks in HTTP statuses
        return Failure.NOT_FOUND
    if status in {409, 412}:
        return Failure.CONFLICT
    return Failure.REFUSED
