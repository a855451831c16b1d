"""The HTTP functions."""

from __future__ import annotations

import functools
import json
import logging
import re
import traceback
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, TypedDict
from uuid import uuid4

import azure.functions as func

from core.dead_letters.queries import DeadLetterFilter
from core.dead_letters.reader import MAX_PAGE_SIZE, invalid_limit
from core.errors import EngineError, InvalidRequestError
from core.functions.answers import AcceptedCommand
from core.functions.openapi import build_openapi
from core.functions.problems import MEDIA_TYPE, Problem, to_problem
from core.model.commands import parse_body
from core.operations.dead_letters import DiscardRequest

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from core.application import Application

    Handler = Callable[[func.HttpRequest], Awaitable[func.HttpResponse]]

logger = logging.getLogger(__name__)

_MAX_KEY_LENGTH = 255
_POSITION = re.compile(r"[0-9]{1,12}\Z")


def register_routes(app: func.FunctionApp, application: Application) -> None:
    """Declare the HTTP functions, which all but health need the function key."""
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
    """The responses of the routes; errors become problem documents in one place."""

    def __init__(self, application: Application) -> None:
        self._application = application

    async def command(self, req: func.HttpRequest) -> func.HttpResponse:
        """Run a command and return the ids of its events (POST /api/commands/{command})."""
        appended = await self._application.execute(
            req.route_params["command"],
            req.get_body(),
            idempotency_key=_idempotency_key(req),
            expected_position=_position(req, "Expected-Position"),
            expected_tag=req.headers.get("If-Match"),
            headers=req.headers,
        )
        position = appended.position
        accepted = AcceptedCommand(event_ids=tuple(appended.event_ids), position=position)
        response = _json(accepted.to_dict(), HTTPStatus.ACCEPTED)
        if position is not None:
            response.headers["Position"] = str(position)
        return response

    async def entity(self, req: func.HttpRequest) -> func.HttpResponse:
        """Return an entity, folded from its stream (GET /api/entities/{entity}/{id})."""
        state = await self._application.load_entity(
            req.route_params["entity"],
            req.route_params["id"],
            _position(req, "Minimum-Position") or 0,
        )
        if _has_tag(req.headers.get("If-None-Match", ""), state.etag):
            response = func.HttpResponse(status_code=int(HTTPStatus.NOT_MODIFIED))
        else:
            response = _response(state.body, HTTPStatus.OK, "application/json")
        response.headers["ETag"] = state.etag
        return response

    async def health(self, req: func.HttpRequest) -> func.HttpResponse:
        """Return 200 if settings and Cosmos DB are usable, with what is wrong (GET /api/health).

        What is wrong is not a reason to restart the app, so the status is not that of an error.
        Because the route is public, the log has one line for each look at Cosmos DB, and none for
        each request.
        """
        del req
        health = await self._application.check_health()
        if health.status == "unusable":
            status = HTTPStatus.SERVICE_UNAVAILABLE
            detail = "Settings or Cosmos DB are not usable. See the application log."
            problem = Problem(title=status.phrase, status=int(status), detail=detail)
            return _json(problem.to_dict(), status, MEDIA_TYPE)
        return _json(health.to_dict())

    async def projections(self, req: func.HttpRequest) -> func.HttpResponse:
        """Return the status of each module, and what is wrong (GET /api/projections)."""
        del req
        return _json((await self._application.status.report()).to_dict())

    async def event(self, req: func.HttpRequest) -> func.HttpResponse:
        """Return whether an event is processed.

        The route is GET /api/projections/{name}/events/{stream}/{id}.
        """
        status = await self._application.status.event_status(
            req.route_params["name"], req.route_params["stream"], req.route_params["id"]
        )
        return _json(status.to_dict())

    async def dead_letters(self, req: func.HttpRequest) -> func.HttpResponse:
        """Return a page of dead letters.

        The route is GET /api/deadletters?projection=&discarded=&after=&limit=.
        """
        selection = DeadLetterFilter(
            name=req.params.get("projection"),
            discarded=_flag(req, "discarded"),
        )
        page = await self._application.dead_letters.page(selection, **_part(req))
        return _json(page.to_dict())

    async def dead_letter(self, req: func.HttpRequest) -> func.HttpResponse:
        """Return a dead letter (GET /api/deadletters/{id})."""
        dead_letter = await self._application.dead_letters.get(req.route_params["id"])
        return _json(dead_letter.to_dict())

    async def replay(self, req: func.HttpRequest) -> func.HttpResponse:
        """Project the event of a dead letter again (POST /api/deadletters/{id}/replay)."""
        result = await self._application.dead_letters.replay(req.route_params["id"])
        return _json(result.to_dict())

    async def replay_all(self, req: func.HttpRequest) -> func.HttpResponse:
        """Replay a page of dead letters, of all projections for *.

        The route is POST /api/deadletters/replay?projection=&after=&limit=.
        """
        result = await self._application.dead_letters.replay_page(_selection(req), **_part(req))
        return _json(result.to_dict())

    async def discard_all(self, req: func.HttpRequest) -> func.HttpResponse:
        """Discard a page of dead letters, of all projections for *.

        The route is POST /api/deadletters/discard?projection=&after=&limit=.
        """
        reason = parse_body(DiscardRequest, req.get_body(), "discard request").reason
        result = await self._application.dead_letters.discard_page(
            _selection(req), reason, **_part(req)
        )
        return _json(result.to_dict())

    async def discard(self, req: func.HttpRequest) -> func.HttpResponse:
        """Discard a dead letter for a reason (POST /api/deadletters/{id}/discard)."""
        reason = parse_body(DiscardRequest, req.get_body(), "discard request").reason
        dead_letter = await self._application.dead_letters.discard(req.route_params["id"], reason)
        return _json(dead_letter.to_dict())

    async def openapi(self, req: func.HttpRequest) -> func.HttpResponse:
        """Return the description of these functions in OpenAPI 3.1 (GET /api/openapi.json)."""
        del req
        return _json(build_openapi(self._application.registry))


def _handle_errors(handler: Handler) -> Handler:
    async def answer(req: func.HttpRequest) -> func.HttpResponse:
        try:
            return await handler(req)
        except Exception as error:  # noqa: BLE001 - an author's code may raise anything
            return _error_response(error)

    return functools.wraps(handler)(answer)


def _error_response(error: Exception) -> func.HttpResponse:
    problem = to_problem(error, instance=uuid4().urn)
    if problem.instance:
        # The message of a foreign exception may show the request; where it was raised does not.
        known = isinstance(error, EngineError)
        logger.error(
            "request.failed instance=%s status=%d error_type=%s error=%s",
            *(problem.instance, problem.status, type(error).__name__),
            error if known else "".join(traceback.format_tb(error.__traceback__)),
        )
    response = _json(problem.to_dict(), HTTPStatus(problem.status), MEDIA_TYPE)
    if problem.status == HTTPStatus.SERVICE_UNAVAILABLE:
        response.headers["Retry-After"] = "1"
    return response


class _Part(TypedDict):
    """The part of a list that a request is about."""

    after: str | None
    limit: int


def _part(req: func.HttpRequest) -> _Part:
    """Return the part of a list that the request is about, by default its beginning.

    Raises:
        InvalidRequestError: If the limit is not a number.
    """
    limit: str = req.params.get("limit", str(MAX_PAGE_SIZE))
    if not (limit.isascii() and limit.isdigit()):
        raise invalid_limit(limit)
    return {"after": req.params.get("after") or None, "limit": int(limit[:6])}


def _flag(req: func.HttpRequest, name: str) -> bool:
    text: str = req.params.get(name, "false")
    if text not in {"true", "false"}:
        raise InvalidRequestError.for_field(name, f"Pass true or false, got {text!r:.50}.")
    return text == "true"


def _selection(req: func.HttpRequest) -> DeadLetterFilter:
    """Return a filter by the projection that the request names; all must be explicit."""
    name: str | None = req.params.get("projection")
    if not name:
        detail = "Name a projection or a module, or pass * for all."
        raise InvalidRequestError.for_field("projection", detail)
    return DeadLetterFilter(name=None if name == "*" else name)


def _idempotency_key(req: func.HttpRequest) -> str | None:
    key: str | None = req.headers.get("Idempotency-Key")
    if key is not None and not (1 <= len(key) <= _MAX_KEY_LENGTH and key.isprintable()):
        raise InvalidRequestError(
            f"Header Idempotency-Key has 1 to {_MAX_KEY_LENGTH} printable characters, got "
            f"{key!a:.80}."
        )
    return key


def _has_tag(header: str, etag: str) -> bool:
    """Return whether a list of entity tags has one, as If-None-Match compares them."""
    tags = {tag.strip().removeprefix("W/") for tag in header.split(",")}
    return not tags.isdisjoint({"*", etag})


def _position(req: func.HttpRequest, header: str) -> int | None:
    text: str | None = req.headers.get(header)
    if text is None:
        return None
    if not _POSITION.match(text):
        raise InvalidRequestError(
            f"Header {header} is a number of up to 12 digits, got {text!r:.40}."
        )
    return int(text)


def _json(
    content: dict[str, Any],
    status: HTTPStatus = HTTPStatus.OK,
    media_type: str = "application/json",
) -> func.HttpResponse:
    return _response(json.dumps(content, allow_nan=False), status, media_type)


def _response(body: str, status: HTTPStatus, media_type: str) -> func.HttpResponse:
    return func.HttpResponse(body, status_code=int(status), mimetype=media_type, charset="utf-8")
