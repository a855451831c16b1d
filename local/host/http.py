"""The HTTP functions: routes, methods and keys as in Azure."""

from __future__ import annotations

import hmac
import logging
import re
from typing import TYPE_CHECKING

import azure.functions as func
from aiohttp import web

from local.host.invocation import Attempt, call

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from local.host.bindings import HttpTrigger

logger = logging.getLogger(__name__)

_LARGEST_BODY = 100 * 1024 * 1024
_CONSTRAINTS = {"int": r"-?\d+", "guid": r"[0-9a-fA-F-]{36}", "alpha": "[A-Za-z]+"}
_PARAMETER = re.compile(r"\{(\*)?(\w+)(?::(\w+))?\??\}")


def application(
    triggers: Sequence[HttpTrigger], *, prefix: str, function_key: str
) -> web.Application:
    """The web application that serves these functions below `prefix`."""
    app = web.Application(client_max_size=_LARGEST_BODY, middlewares=[_unmatched])
    for trigger in triggers:
        path = f"/{prefix}/{pattern(trigger.route)}".replace("//", "/")
        handler = _handler(trigger, function_key)
        for method in trigger.methods:
            app.router.add_route(method, path, handler)
    return app


def pattern(route: str) -> str:
    """An Azure Functions route as aiohttp writes it: `{id:int}`, `{*rest}`."""

    def parameter(match: re.Match[str]) -> str:
        star, name, constraint = match.groups()
        form = ".*" if star else _CONSTRAINTS.get(constraint, "[^{}/]+")
        return f"{{{name}:{form}}}"

    return _PARAMETER.sub(parameter, route.strip("/"))


def _handler(trigger: HttpTrigger, key: str) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def handle(request: web.Request) -> web.Response:
        if trigger.level != "anonymous" and not _has_key(request, key):
            return web.Response(status=401)
        received = func.HttpRequest(
            method=request.method,
            url=str(request.url),
            headers=dict(request.headers),
            params=dict(request.query),
            route_params=dict(request.match_info),
            body=await request.read(),
        )
        function = trigger.function
        try:
            result = await call(function.name, function.call, trigger.argument, received, Attempt())
        except Exception:
            logger.exception("function.failed function=%s", function.name)
            return web.Response(status=500)
        return _response(result)

    return handle


def _response(result: object) -> web.Response:
    if not isinstance(result, func.HttpResponse):
        return web.Response(text="" if result is None else str(result))
    return web.Response(
        status=result.status_code,
        body=result.get_body(),
        headers=dict(result.headers),
        content_type=result.mimetype,
        charset=result.charset,
    )


def _has_key(request: web.Request, key: str) -> bool:
    sent = request.headers.get("x-functions-key") or request.query.get("code", "")
    return hmac.compare_digest(sent.encode(), key.encode())


@web.middleware
async def _unmatched(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Azure answers 404 where a route is known but not for this method."""
    try:
        return await handler(request)
    except web.HTTPMethodNotAllowed:
        return web.Response(status=404)
    except web.HTTPException as error:
        return web.Response(status=error.status)
