"""Faults of connection or timing; `routes` and `batches` return those that are errors."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from local.cosmos.faults import Fault
from local.cosmos.messages import SERVICE_UNAVAILABLE, Response
from local.cosmos.routes import handle_request

if TYPE_CHECKING:
    from aiohttp import web

    from local.cosmos.faults import InjectedFault
    from local.cosmos.messages import Request

_DELAYED = frozenset({Fault.SLOW, Fault.HANG})
_NOT_APPLIED = frozenset({Fault.RESET_BEFORE, Fault.OUTAGE})


async def apply_fault(
    http_request: web.Request, request: Request, injected: InjectedFault
) -> Response:
    """Return the response to a request with an injected fault; the client may not receive it.

    A request that hangs or is slow is applied after the delay, when its client may have given up.
    A request whose connection is reset is applied before the reset, or not at all.
    """
    if injected.fault in _DELAYED:
        await asyncio.sleep(injected.duration_ms / 1000)
    if injected.fault in _NOT_APPLIED:
        _reset(http_request)
        return Response(status=SERVICE_UNAVAILABLE)
    response = handle_request(request)
    if injected.fault is Fault.RESET_AFTER:
        _reset(http_request)
    return response


def _reset(http_request: web.Request) -> None:
    if http_request.transport is not None:
        http_request.transport.abort()
