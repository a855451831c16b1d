from __future__ import annotations

import json
import logging
import re
from types import SimpleNamespace
from typing import Any

import azure.functions as func
import pytest

from core.errors import ConfigurationError, EngineError, TransientError
from core.functions.routes import register_routes
from core.model.entities import Entity
from core.streams.folding import EntityState

SECRET = "s3cr3t"


def functions(application: object) -> dict[str, Any]:
    """The functions over an application."""
    app = func.FunctionApp()
    register_routes(app, application)  # type: ignore[arg-type] # only what the test calls
    return {str(one.get_function_name()): one.get_user_function() for one in app.get_functions()}


def request(key: str | None = None, **route: str) -> func.HttpRequest:
    headers = {} if key is None else {"Idempotency-Key": key}
    return func.HttpRequest("POST", "/", headers=headers, route_params=route, body=b"{}")


def failing(error: Exception) -> dict[str, Any]:
    """The functions over an application whose commands raise an error."""

    async def execute(*_: object, **__: object) -> list[str]:
        raise error

    return functions(SimpleNamespace(execute=execute))


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ZeroDivisionError(SECRET), 500),
        (UnicodeEncodeError("utf-8", SECRET, 0, 1, "surrogates"), 500),
        (RecursionError(SECRET), 500),
        (ConfigurationError("key"), 500),
        (TransientError("gone"), 503),
    ],
)
async def test_an_error_of_the_server_is_a_problem_with_its_id_in_the_log(
    error: Exception, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever an author's code raises; neither response nor log shows the request."""
    with caplog.at_level(logging.ERROR):
        response = await failing(error)["command"](request(command="follow"))

    body = json.loads(response.get_body())
    assert (response.status_code, response.mimetype) == (status, "application/problem+json")
    assert re.fullmatch(r"urn:uuid:[0-9a-f-]{36}", body["instance"])
    assert f"request.failed instance={body['instance']} status={status}" in caplog.text
    assert f"error_type={type(error).__name__} error=" in caplog.text
    assert isinstance(error, EngineError) or "in execute" in caplog.text
    assert SECRET not in caplog.text + str(body)


@pytest.mark.parametrize("key", ["", "x" * 256, "a\nb", "\udcff", "\x00"])
async def test_an_unusable_key_is_refused(key: str) -> None:
    """Half characters come from headers that are not UTF-8."""
    response = await failing(ZeroDivisionError())["command"](request(key, command="follow"))

    body = json.loads(response.get_body())
    assert response.status_code == 400
    assert "Idempotency-Key has 1 to 255 printable characters" in body["detail"]
    assert "instance" not in body


@pytest.mark.parametrize("text", ["TRUE", "1", "x" * 1000])
async def test_a_flag_is_true_or_false(text: str) -> None:
    """Anything else would be taken for false without a word."""
    listing = failing(ZeroDivisionError())["deadletters"]
    response = await listing(func.HttpRequest("GET", "/", params={"discarded": text}, body=b""))

    body = json.loads(response.get_body())
    assert response.status_code == 400
    assert body["errors"][0]["field"] == "discarded"


async def test_an_entity_that_json_cannot_hold_is_a_problem() -> None:
    """A response is never something that is not JSON."""

    class Average(Entity):
        value: float = float("nan")

    async def load_entity(*_: object) -> EntityState[Average]:
        return EntityState(Average(), 0)

    entity = functions(SimpleNamespace(load_entity=load_entity))["entity"]
    response = await entity(request(entity="average", id="1"))

    assert (response.status_code, response.mimetype) == (500, "application/problem+json")
