"""Between HTTP and the values of `calls`."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING
from uuid import uuid4

from aiohttp import web

if TYPE_CHECKING:
    from local.cosmos.calls import Answer

_VERSION = "2018-12-31"
_PROCESS = str(uuid4())[:24]
_NUMBERS = count(1)


def segments_of(request: web.Request) -> tuple[str, ...]:
    """The decoded path, without empty parts."""
    return tuple(part for part in request.path.split("/") if part)


def response(answer: Answer, seconds: float) -> web.Response:
    """The HTTP response to a request that took so long."""
    return web.Response(
        status=answer.status,
        body=None if answer.body is None else answer.body.encode(),
        headers={
            "content-type": "application/json",
            "x-ms-request-charge": f"{round(answer.charge, 2):g}",
            "x-ms-request-duration-ms": f"{seconds * 1000:.3f}",
            "x-ms-activity-id": f"{_PROCESS}{next(_NUMBERS):012x}",
            "x-ms-version": _VERSION,
            **answer.headers,
        },
    )
