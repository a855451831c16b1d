"""What a fault does to one request; refusals are left to `routes` and `batches`."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from local.cosmos.calls import Answer
from local.cosmos.faults import Fault
from local.cosmos.routes import respond

if TYPE_CHECKING:
    from aiohttp import web

    from local.cosmos.calls import Call

_NEVER_SEEN = 503
_LATE = frozenset({Fault.SLOW, Fault.HANG})
_BEFORE = frozenset({Fault.RESET_BEFORE, Fault.OUTAGE})


async def struck(request: web.Request, call: Call) -> Answer:
    """The answer to a request that a fault strikes; the client may never see it.

    A request that hangs or is slow is applied at the end of the wait, when its client may have
    given up long ago; one that is reset is applied before the reset or not at all.
    """
    fault = call.strike.fault if call.strike else None
    if call.strike is not None and fault in _LATE:
        await asyncio.sleep(call.strike.milliseconds / 1000)
    if fault in _BEFORE:
        _reset(request)
        return Answer(status=_NEVER_SEEN)
    answer = respond(call)
    if fault is Fault.RESET_AFTER:
        _reset(request)
    return answer


def _reset(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.abort()
