"""The HTTP trigger, with routes, methods, keys and limits as in Azure."""

from __future__ import annotations

import hmac
import logging
import time
from typing import TYPE_CHECKING

import azure.functions as func
from aiohttp import web

from local.host.invocation import Attempt
from local.host.routing import Router

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from local.host.bindings import HttpTrigger
    from local.host.configuration import HostConfiguration
    from local.host.invocation import Invoker

logger = logging.getLogger(__name__)


class HttpFunctions:
    """Handles requests with the app's HTTP functions.

    Args:
        triggers: The functions.
        invoker: The object that calls them.
        configuration: The configuration of the host.
        function_key: The key that functions of level function or admin require.

    Raises:
        HostError: If a route has a form that is not supported.
    """

    def __init__(
        self,
        triggers: Sequence[HttpTrigger],
        invoker: Invoker,
        configuration: HostConfiguration,
        *,
        function_key: str,
    ) -> None:
        self._router = Router(triggers, configuration.route_prefix)
        self._invoker = invoker
        self._key = function_key.encode()
        self._max_body_bytes = configuration.max_body_bytes

    def application(self) -> web.Application:
        """Return the web application that serves them."""
        app = web.Application(client_max_size=self._max_body_bytes)
        app.router.add_route("*", r"/{path:[\s\S]*}", self._handle)  # a line break, too
        return app

    async def _handle(self, request: web.Request) -> web.Response:
        match = self._router.match(request.method, request.rel_url.path_safe)
        if match is None:
            return web.Response(status=404)
        trigger, parameters = match
        if trigger.level != "anonymous" and not self._has_key(request):
            return web.Response(status=401)
        started = time.monotonic()
        response = await self._invoke(trigger, request, parameters)
        logger.info(
            "request.completed function=%s method=%s path=%s status=%d duration_ms=%.0f",
            *(trigger.function.name, request.method, request.rel_url.raw_path),
            *(response.status, (time.monotonic() - started) * 1000),
        )
        return response

    async def _invoke(
        self, trigger: HttpTrigger, request: web.Request, parameters: Mapping[str, str]
    ) -> web.Response:
        """Return the response of the function, or an empty 500 for an exception, as in Azure.

        A body over the limit is an exception, because the real host reads it during binding.
        """
        try:
            received = func.HttpRequest(
                method=request.method,
                url=str(request.url),
                headers=dict(request.headers),
                params=dict(request.query),
                route_params=dict(parameters),
                body=await request.read(),
            )
            return _response(await self._invoker.call(trigger, received, Attempt()))
        except web.HTTPRequestEntityTooLarge:
            logger.error(  # noqa: TRY400 - a traceback would add nothing
                "function.failed function=%s reason=body_too_large max_body_bytes=%d",
                *(trigger.function.name, self._max_body_bytes),
            )
        except Exception:
            logger.exception("function.failed function=%s", trigger.function.name)
        return web.Response(status=500)

    def _has_key(self, request: web.Request) -> bool:
        sent = request.headers.get("x-functions-key") or request.query.get("code", "")
        return hmac.compare_digest(sent.encode(), self._key)


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
