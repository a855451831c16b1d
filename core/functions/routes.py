"""The HTTP functions."""

from __future__ import annotations

import functools
import json
import logging
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import azure.functions as func

from core.dead_letters.dead_letter import count_dead_letters
from core.errors import EngineError, FieldError, InvalidRequestError
from core.functions.openapi import build_openapi
from core.functions.problems import MEDIA_TYPE, to_problem
from core.model.commands import parse_body
from core.operations.dead_letters import DiscardRequest

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from core.application import Application

    Handler = Callable[[func.HttpRequest], Awaitable[func.HttpResponse]]

logger = logging.getLogger(__name__)

_LONGEST_KEY = 255


def register_routes(app: func.FunctionApp, application: Application) -> None:
    """Declare the HTTP functions; all but health need the function key."""
    routes = Routes(application)
    anonymous, function = func.AuthLevel.ANONYMOUS, func.AuthLevel.FUNCTION
    table = [
        ("command", "commands/{command}", "POST", function, routes.command),
        ("entity", "entities/{entity}/{id}", "GET", function, routes.entity),
        ("health", "health", "GET", anonymous, routes.health),
        ("projections", "projections", "GET", function, routes.projections),
        ("event", "projections/{name}/events/{stream}/{id}", "GET", function, routes.event),
        ("deadletters", "deadletters", "GET", function, routes.dead_letters),
        ("replayall", "deadletters/replay", "POST", function, routes.replay_all),
        ("discardall", "deadletters/discard", "POST", function, routes.discard_all),
        ("deadletter", "deadletters/{id}", "GET", function, routes.dead_letter),
        ("replay", "deadletters/{id}/replay", "POST", function, routes.replay),
        ("discard", "deadletters/{id}/discard", "POST", function, routes.discard),
        ("openapi", "openapi.json", "GET", function, routes.openapi),
    ]
    for name, route, method, level, handler in table:
        declare = app.route(route=route, methods=[method], auth_level=level)
        app.function_name(name)(declare(_handle_errors(handler)))


class Routes:
    """What each route answers; errors become problem documents in one place."""

    def __init__(self, application: Application) -> None:
        self._application = application

    async def command(self, req: func.HttpRequest) -> func.HttpResponse:
        """POST /api/commands/{command}: 202 with the ids of the events appended."""
        ids = await self._application.execute(
            req.route_params["command"],
            req.get_body(),
            idempotency_key=_idempotency_key(req),
            headers=req.headers,
        )
        return _json({"events": ids}, HTTPStatus.ACCEPTED)

    async def entity(self, req: func.HttpRequest) -> func.HttpResponse:
        """GET /api/entities/{entity}/{id}: the entity folded from its stream."""
        entity = await self._application.load_entity(
            req.route_params["entity"], req.route_params["id"]
        )
        return _json(entity.model_dump(mode="json"))

    async def health(self, req: func.HttpRequest) -> func.HttpResponse:
        """GET /api/health: 200 when settings and Cosmos DB are usable; tells blocked lines.

        A blocked line is no reason to restart the app, so it is not an error's status.
        """
        del req
        await self._application.check_health()
        blocked = await self._application.dead_letters.blocking()
        return _json({"status": "blocked" if blocked else "ok", "blocked": blocked})

    async def projections(self, req: func.HttpRequest) -> func.HttpResponse:
        """GET /api/projections: how far each projection module is."""
        del req
        statuses = await self._application.status.module_statuses()
        return _json({"projections": [each.as_json() for each in statuses]})

    async def event(self, req: func.HttpRequest) -> func.HttpResponse:
        """GET /api/projections/{name}/events/{stream}/{id}: whether it is projected."""
        found = await self._application.status.event_status(
            req.route_params["name"], req.route_params["stream"], req.route_params["id"]
        )
        return _json(found)

    async def dead_letters(self, req: func.HttpRequest) -> func.HttpResponse:
        """GET /api/deadletters?projection=: what waits, and how much of what kind."""
        found = await self._application.dead_letters.search(req.params.get("projection"))
        return _json(
            {
                "counts": [each.as_json() for each in count_dead_letters(found)],
                "deadLetters": [each.to_document() for each in found],
            }
        )

    async def dead_letter(self, req: func.HttpRequest) -> func.HttpResponse:
        """GET /api/deadletters/{id}: one dead letter."""
        found = await self._application.dead_letters.get(req.route_params["id"])
        return _json(found.to_document())

    async def replay(self, req: func.HttpRequest) -> func.HttpResponse:
        """POST /api/deadletters/{id}/replay: project its event again."""
        replayed = await self._application.dead_letters.replay(req.route_params["id"])
        return _json(replayed.as_json())

    async def replay_all(self, req: func.HttpRequest) -> func.HttpResponse:
        """POST /api/deadletters/replay?projection=: replay many; * for all."""
        return _json((await self._application.dead_letters.replay_all(_selection(req))).as_json())

    async def discard_all(self, req: func.HttpRequest) -> func.HttpResponse:
        """POST /api/deadletters/discard?projection=: give many up; * for all."""
        reason = parse_body(DiscardRequest, req.get_body(), "a discard").reason
        return _json(
            (await self._application.dead_letters.discard_all(_selection(req), reason)).as_json()
        )

    async def discard(self, req: func.HttpRequest) -> func.HttpResponse:
        """POST /api/deadletters/{id}/discard: give it up, for a reason that is kept."""
        reason = parse_body(DiscardRequest, req.get_body(), "a discard").reason
        letter = await self._application.dead_letters.discard(req.route_params["id"], reason)
        return _json(letter.to_document())

    async def openapi(self, req: func.HttpRequest) -> func.HttpResponse:
        """GET /api/openapi.json: these functions as OpenAPI 3.1."""
        del req
        return _json(build_openapi(self._application.registry))


def _handle_errors(handler: Handler) -> Handler:
    async def answer(req: func.HttpRequest) -> func.HttpResponse:
        try:
            return await handler(req)
        except EngineError as error:
            return _error_response(error)

    return functools.wraps(handler)(answer)


def _error_response(error: EngineError) -> func.HttpResponse:
    found = to_problem(error)
    if found.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        logger.error("request.failed status=%d error=%s", found.status, error)
    return _json(found.body(), found.status, MEDIA_TYPE)


def _selection(req: func.HttpRequest) -> str | None:
    """The projection that is meant; None for all, which must be said."""
    name: str | None = req.params.get("projection")
    if not name:
        problem = "Name a projection, or say * for all."
        raise InvalidRequestError(problem, FieldError(field="projection", detail=problem))
    return None if name == "*" else name


def _idempotency_key(req: func.HttpRequest) -> str | None:
    key: str | None = req.headers.get("Idempotency-Key")
    if key is not None and not 1 <= len(key) <= _LONGEST_KEY:
        raise InvalidRequestError(
            f"Header Idempotency-Key has 1 to {_LONGEST_KEY} characters, got {len(key)}."
        )
    return key


def _json(
    content: dict[str, Any],
    status: HTTPStatus = HTTPStatus.OK,
    media_type: str = "application/json",
) -> func.HttpResponse:
    return func.HttpResponse(
        json.dumps(content), status_code=int(status), mimetype=media_type, charset="utf-8"
    )
