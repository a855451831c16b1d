"""The description of the HTTP functions in OpenAPI 3.1, from the declarations of the modules."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from core.dead_letters.dead_letter import DeadLetter
from core.dead_letters.reader import MAX_PAGE_SIZE
from core.functions.answers import AcceptedCommand
from core.functions.problems import MEDIA_TYPE, Problem
from core.operations.dead_letters import (
    DeadLetterActionResult,
    DeadLetterPage,
    DiscardRequest,
)
from core.operations.health import Health
from core.operations.replay import ReplayResult
from core.operations.status import StatusReport
from core.tracking.status import EventStatus

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from core.model.registry import Registry

Json = dict[str, Any]

Model = tuple[type[BaseModel], JsonSchemaMode]
"""A model, and whether its schema is that of what is parsed or of what is returned."""

_REFERENCE = "#/components/schemas/{model}"
_TEXT = {"type": "string"}
_POSITION: Json = {
    "in": "header",
    "schema": {"type": "integer", "minimum": 0, "maximum": 999_999_999_999},
}
_UNAUTHORIZED = {"401": {"description": "The function key is missing or wrong."}}


def build_openapi(registry: Registry) -> Json:
    """Return the description, with a path for each command and entity, and those of operations."""
    paths: Json = {
        **{f"/api/commands/{name}": _command(name, one) for name, one in registry.commands.items()},
        **{f"/api/entities/{name}/{{id}}": _entity(one) for name, one in registry.entities.items()},
        **_OPERATIONS,
    }
    models = list(dict.fromkeys(_models(paths)))
    references, definitions = models_json_schema(models, ref_template=_REFERENCE)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Event projections", "version": "1"},
        "security": [{"key": []}],
        "paths": _with_references(paths, references),
        "components": {
            "schemas": definitions["$defs"],
            "securitySchemes": {
                "key": {"type": "apiKey", "in": "header", "name": "x-functions-key"}
            },
        },
    }


def _models(value: object) -> Iterator[Model]:
    """Yield the models in a description, in which they stand for their schemas."""
    if isinstance(value, tuple):
        yield value
    elif isinstance(value, dict):
        for part in value.values():
            yield from _models(part)


def _with_references(value: Any, references: Mapping[Any, Json]) -> Any:  # noqa: ANN401 - JSON
    """Return a description with a reference to the schema of each model in its place."""
    if isinstance(value, tuple):
        return references[value]
    if isinstance(value, dict):
        return {name: _with_references(part, references) for name, part in value.items()}
    return value


def _command(name: str, model: type[BaseModel]) -> Json:
    answers = {
        "202": {
            **_answer("The ids of the appended events, and their last position.", AcceptedCommand),
            "headers": {"Position": {"schema": {"type": "integer"}}},
        },
        **_UNAUTHORIZED,
        **_problems(400, 404, 409, 412, 413, 422, 503),
    }
    headers = [
        {
            "name": "Idempotency-Key",
            "in": "header",
            "schema": {**_TEXT, "minLength": 1, "maxLength": 255},
        },
        _POSITION | {"name": "Expected-Position"},
        {"name": "If-Match", "in": "header", "schema": _TEXT},
    ]
    return {
        "post": {
            "operationId": name,
            "parameters": headers,
            "requestBody": _body(model),
            "responses": answers,
        }
    }


def _entity(model: type[BaseModel]) -> Json:
    answers = {
        "200": {
            **_answer("The entity, folded from its stream.", model),
            "headers": {"ETag": {"schema": _TEXT}},
        },
        "304": {"description": "The entity has the tag of If-None-Match."},
        **_UNAUTHORIZED,
        **_problems(400, 404, 500, 503),
    }
    headers = [
        _POSITION | {"name": "Minimum-Position"},
        {"name": "If-None-Match", "in": "header", "schema": _TEXT},
    ]
    return {"get": {"parameters": [*_path(("id",)), *headers], "responses": answers}}


def _get(
    description: str, answer: type[BaseModel], *path: str, query: tuple[Json, ...] = ()
) -> Json:
    problems = _problems(*((400,) if query else ()), 404, 503)
    answers = {"200": _answer(description, answer), **_UNAUTHORIZED, **problems}
    return {"get": {"parameters": [*_path(path), *query], "responses": answers}}


def _post(
    description: str,
    answer: type[BaseModel],
    body: type[BaseModel] | None,
    *path: str,
    query: tuple[Json, ...] = (),
) -> Json:
    answers = {
        "200": _answer(description, answer),
        **_UNAUTHORIZED,
        **_problems(400, 404, 413, 503),
    }
    parameters = [*_path(path), *query]
    operation: Json = {"parameters": parameters, "responses": answers}
    if body is not None:
        operation["requestBody"] = _body(body)
    return {"post": operation}


def _path(names: tuple[str, ...]) -> list[Json]:
    return [{"name": name, "in": "path", "required": True, "schema": _TEXT} for name in names]


def _query(name: str, schema: Json, *, required: bool = False) -> Json:
    return {"name": name, "in": "query", "required": required, "schema": schema}


def _problems(*statuses: int) -> Json:
    content = {MEDIA_TYPE: {"schema": (Problem, "serialization")}}
    return {
        str(status): {"description": "A problem document.", "content": content}
        for status in statuses
    }


def _body(model: type[BaseModel]) -> Json:
    return {"required": True, "content": {"application/json": {"schema": (model, "validation")}}}


def _answer(description: str, answer: type[BaseModel]) -> Json:
    content = {"application/json": {"schema": (answer, "serialization")}}
    return {"description": description, "content": content}


_PART = (
    _query("after", _TEXT),
    _query("limit", {"type": "integer", "minimum": 1, "maximum": MAX_PAGE_SIZE}),
)
"""The part of a list: after the value of `next` in the previous answer."""

_SELECTION = (_query("projection", {**_TEXT, "minLength": 1}, required=True), *_PART)
_HEALTH: Json = {
    "security": [],
    "responses": {
        "200": _answer("The settings and Cosmos DB are usable.", Health),
        **_problems(503),
    },
}
_OPERATIONS: Json = {
    "/api/health": {"get": _HEALTH},
    "/api/projections": _get("The status of each module, and what is wrong.", StatusReport),
    "/api/projections/{name}/events/{stream}/{id}": _get(
        "Whether a module has processed an event.", EventStatus, *("name", "stream", "id")
    ),
    "/api/deadletters": _get(
        "A page of dead letters.",
        DeadLetterPage,
        query=(_query("projection", _TEXT), _query("discarded", {"type": "boolean"}), *_PART),
    ),
    "/api/deadletters/replay": _post(
        "The result for a page.", DeadLetterActionResult, None, query=_SELECTION
    ),
    "/api/deadletters/discard": _post(
        "The result for a page.", DeadLetterActionResult, DiscardRequest, query=_SELECTION
    ),
    "/api/deadletters/{id}": _get("A dead letter.", DeadLetter, "id"),
    "/api/deadletters/{id}/replay": _post("The result of the replay.", ReplayResult, None, "id"),
    "/api/deadletters/{id}/discard": _post(
        "The discarded dead letter.", DeadLetter, DiscardRequest, "id"
    ),
}
