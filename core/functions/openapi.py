"""The description of the HTTP functions in OpenAPI 3.1, from the declarations of the modules."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic.json_schema import models_json_schema

from core.operations.dead_letters import MAX_DISCARD_REASON_LENGTH

if TYPE_CHECKING:
    from core.model.registry import Registry

Json = dict[str, Any]

_REFERENCE = "#/components/schemas/{model}"
_TEXT = {"type": "string"}
_UNAUTHORIZED = {"401": {"description": "The function key is missing or wrong."}}


def build_openapi(registry: Registry) -> Json:
    """Return the description, with a path for each command and entity, and those of operations."""
    schemas, definitions = models_json_schema(
        [
            *((model, "validation") for model in registry.commands.values()),
            *((model, "serialization") for model in registry.entities.values()),
        ],
        ref_template=_REFERENCE,
    )
    commands = {name: schemas[model, "validation"] for name, model in registry.commands.items()}
    entities = {name: schemas[model, "serialization"] for name, model in registry.entities.items()}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Event projections", "version": "1"},
        "security": [{"key": []}],
        "paths": {
            **{f"/api/commands/{name}": _command(name, one) for name, one in commands.items()},
            **{f"/api/entities/{name}/{{id}}": _entity(one) for name, one in entities.items()},
            **_OPERATIONS,
        },
        "components": {
            "schemas": {**definitions.get("$defs", {}), "Problem": _PROBLEM},
            "securitySchemes": {
                "key": {"type": "apiKey", "in": "header", "name": "x-functions-key"}
            },
        },
    }


def _command(name: str, schema: Json) -> Json:
    answers = {
        "202": _answer("The ids of the appended events.", _object(eventIds=_array(_TEXT))),
        **_UNAUTHORIZED,
        **_problems(400, 404, 413, 422, 503),
    }
    key = {
        "name": "Idempotency-Key",
        "in": "header",
        "schema": {**_TEXT, "minLength": 1, "maxLength": 255},
    }
    return {
        "post": {
            "operationId": name,
            "parameters": [key],
            "requestBody": {"required": True, "content": _content(schema)},
            "responses": answers,
        }
    }


def _entity(schema: Json) -> Json:
    return _get("The entity, folded from its stream.", schema, "id")


def _get(description: str, schema: Json, *path: str, query: tuple[str, ...] = ()) -> Json:
    answers = {"200": _answer(description, schema), **_UNAUTHORIZED, **_problems(404, 503)}
    parameters = [*_path(path), *(_query(name, required=False) for name in query)]
    return {"get": {"parameters": parameters, "responses": answers}}


def _post(
    description: str,
    schema: Json,
    body: Json | None,
    *path: str,
    query: tuple[str, ...] = (),
) -> Json:
    answers = {
        "200": _answer(description, schema),
        **_UNAUTHORIZED,
        **_problems(400, 404, 413, 503),
    }
    parameters = [*_path(path), *(_query(name, required=True) for name in query)]
    operation: Json = {"parameters": parameters, "responses": answers}
    if body is not None:
        operation["requestBody"] = {"required": True, "content": _content(body)}
    return {"post": operation}


def _path(names: tuple[str, ...]) -> list[Json]:
    return [{"name": name, "in": "path", "required": True, "schema": _TEXT} for name in names]


def _query(name: str, *, required: bool) -> Json:
    schema = {**_TEXT, "minLength": 1} if required else _TEXT
    return {"name": name, "in": "query", "required": required, "schema": schema}


def _problems(*statuses: int) -> Json:
    reference = {"$ref": _REFERENCE.format(model="Problem")}
    content = {"application/problem+json": {"schema": reference}}
    return {
        str(status): {"description": "A problem document.", "content": content}
        for status in statuses
    }


def _answer(description: str, schema: Json) -> Json:
    return {"description": description, "content": _content(schema)}


def _content(schema: Json) -> Json:
    return {"application/json": {"schema": schema}}


def _object(**properties: Json) -> Json:
    return {"type": "object", "properties": properties, "required": list(properties)}


def _array(items: Json) -> Json:
    return {"type": "array", "items": items}


_PROBLEM = {
    **_object(title=_TEXT, status={"type": "integer"}, detail=_TEXT),
    "description": "A problem document (RFC 9457); `errors` lists the invalid fields.",
}
_REASON = {**_TEXT, "minLength": 1, "maxLength": MAX_DISCARD_REASON_LENGTH, "pattern": "\\S"}
_ANYTHING: Json = {"type": "object"}
_ACTION_RESULT = _object(
    succeeded={"type": "integer"}, failed=_ANYTHING, remaining={"type": "integer"}
)
_HEALTH: Json = {
    "security": [],
    "responses": {
        "200": _answer(
            "The settings and Cosmos DB are usable.",
            _object(status=_TEXT, blocked=_array(_ANYTHING)),
        ),
        **_problems(503),
    },
}
_OPERATIONS: Json = {
    "/api/health": {"get": _HEALTH},
    "/api/projections": _get("The status of each module.", _object(projections=_array(_ANYTHING))),
    "/api/projections/{name}/events/{stream}/{id}": _get(
        "Whether a module has processed an event.",
        _object(processed={"type": "boolean"}),
        *("name", "stream", "id"),
    ),
    "/api/deadletters": _get(
        "The dead letters and their counts.",
        _object(counts=_array(_ANYTHING), deadLetters=_array(_ANYTHING)),
        query=("projection",),
    ),
    "/api/deadletters/replay": _post(
        "The result by dead letter.", _ACTION_RESULT, None, query=("projection",)
    ),
    "/api/deadletters/discard": _post(
        "The result by dead letter.", _ACTION_RESULT, _object(reason=_REASON), query=("projection",)
    ),
    "/api/deadletters/{id}": _get("A dead letter.", _ANYTHING, "id"),
    "/api/deadletters/{id}/replay": _post("The result of the replay.", _ANYTHING, None, "id"),
    "/api/deadletters/{id}/discard": _post(
        "The discarded dead letter.", _ANYTHING, _object(reason=_REASON), "id"
    ),
}
