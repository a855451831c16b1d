"""Conversions between HTTP and the values of `messages`."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING
from uuid import uuid4

from aiohttp import web

if TYPE_CHECKING:
    from local.cosmos.messages import Response

_VERSION = "2018-12-31"
_PROCESS_ID = str(uuid4())[:24]
_REQUEST_NUMBERS = count(1)


def path_segments(http_request: web.Request) -> tuple[str, ...]:
    """Return the segments of the decoded path, without empty ones."""
    return tuple(segment for segment in http_request.path.split("/") if segment)


def http_response(response: Response, seconds: float = 0) -> web.Response:
    """Return the HTTP response for a response.

    Args:
        response: The response.
        seconds: The duration of the request.
    """
    return web.Response(
        status=response.status,
        body=None if response.body is None else response.body.encode(),
        headers={
            "content-type": "application/json",
            "x-ms-request-charge": f"{round(response.charge, 2):g}",
            "x-ms-request-duration-ms": f"{seconds * 1000:.3f}",
            "x-ms-activity-id": f"{_PROCESS_ID}{next(_REQUEST_NUMBERS):012x}",
            "x-ms-version": _VERSION,
            **response.headers,
        },
    )
