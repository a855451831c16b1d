"""The edges: who may call, what can be reached, and what is told and logged."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import azure.functions as func
import pytest
from azure.cosmos.aio import DatabaseProxy
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from yarl import URL

from core.application import Application
from core.functions.openapi import build_openapi
from core.functions.routes import register_routes
from core.functions.triggers import register_triggers
from local.cosmos import WELL_KNOWN_KEY, EmbeddedCosmos
from local.host import FunctionsHost, HostOptions
from tests.apps import follows
from tests.support import followed, stream, until, user

SECRET = "S3CR3T-M4RK"


@pytest.fixture
async def application(environ: dict[str, str]) -> AsyncIterator[Application]:
    application = Application.discover(follows, environ)
    yield application
    await application.close()


@pytest.fixture
async def url(
    application: Application, database: DatabaseProxy, environ: dict[str, str]
) -> AsyncIterator[str]:
    app = func.FunctionApp(http_auth_level=func.AuthLevel.FUNCTION)
    register_triggers(app, application, environ)
    register_routes(app, application)
    options = HostOptions(port=0, function_key=SECRET, lease_expiration=2.0)
    async with FunctionsHost(options, environ, app) as host:
        yield host.url


async def documents(database: DatabaseProxy, container: str) -> list[dict[str, Any]]:
    items = database.get_container_client(container).query_items("SELECT * FROM c")
    return [item async for item in items]


async def test_every_function_but_health_rejects_without_the_key(
    url: str, application: Application
) -> None:
    """The paths are those of the app's own description."""
    paths = build_openapi(application.registry)["paths"]

    async with aiohttp.ClientSession() as session:
        statuses: dict[str, set[int]] = {}
        for path, operations in paths.items():
            filled = path.replace("{", "").replace("}", "")
            for method in operations:
                for headers in ({}, {"x-functions-key": "wrong"}):
                    async with session.request(method, url + filled, headers=headers) as answer:
                        statuses.setdefault(path, set()).add(answer.status)

    assert statuses.pop("/api/health") == {200}
    assert len(statuses) >= 8
    assert set.union(*statuses.values()) == {401}


def test_the_description_names_what_the_modules_declare(application: Application) -> None:
    """Commands with their fields, entities with theirs."""
    document = build_openapi(application.registry)

    follow = document["paths"]["/api/commands/follow"]["post"]["requestBody"]["content"]
    reference = follow["application/json"]["schema"]["$ref"]
    assert reference == "#/components/schemas/Follow"
    assert set(document["components"]["schemas"]["Follow"]["required"]) == {"user_id", "to_follow"}
    assert "/api/entities/followship/{id}" in document["paths"]
    json.dumps(document)


def test_the_description_has_the_schemas_of_what_is_answered(application: Application) -> None:
    """Of results and of problems, each under its name."""
    document = build_openapi(application.registry)
    schemas = document["components"]["schemas"]

    answers = document["paths"]["/api/projections"]["get"]["responses"]
    shown, problem = (content["schema"] for content in contents(answers["200"], answers["404"]))

    assert shown == {"$ref": "#/components/schemas/StatusReport"}
    assert problem == {"$ref": "#/components/schemas/Problem"}
    names = {"type", "title", "status", "detail", "instance", "errors", "eventId", "eventType"}
    assert set(schemas["Problem"]["properties"]) == names
    assert {"leaseToken", "lagSeconds", "caughtUp"} < set(schemas["LeaseStatus"]["properties"])
    assert schemas["DiscardRequest"]["properties"]["reason"]["maxLength"] == 1_000


def contents(*answers: dict[str, Any]) -> list[dict[str, Any]]:
    return [next(iter(answer["content"].values())) for answer in answers]


async def test_no_secret_and_no_payload_is_logged_or_told(
    url: str, database: DatabaseProxy, cosmos: EmbeddedCosmos, caplog: pytest.LogCaptureFixture
) -> None:
    """A run that carries a mark everywhere: body, key, stored event, idempotency key."""
    caplog.set_level(logging.DEBUG)
    told: list[str] = []
    bodies: list[Any] = [
        {"user_id": SECRET, "to_follow": str(user(1))},
        {"user_id": str(user(1)), "to_follow": str(user(2)), "more": SECRET},
        [SECRET],
    ]
    bad = followed(1, 2, data={"user_id": SECRET, "to_follow": SECRET})
    await database.get_container_client("events").create_item(bad)

    async with aiohttp.ClientSession(headers={"x-functions-key": SECRET}) as session:
        for body in bodies:
            headers = {"Idempotency-Key": SECRET}
            async with session.post(
                f"{url}/api/commands/follow", json=body, headers=headers
            ) as answer:
                told.append(await answer.text())
        for path in ("entities/followship/x", f"projections/followship/events/{stream(1)}/1-2"):
            async with session.get(f"{url}/api/{path}") as answer:
                told.append(await answer.text())

        async def parked() -> bool:
            return bool(await documents(database, "deadletters"))

        await until(parked)

    ours = [record for record in caplog.records if not record.name.startswith(("azure", "aiohttp"))]
    logged = "\n".join(record.getMessage() for record in ours)
    for text in (*told, logged, json.dumps(await documents(database, "deadletters"))):
        assert SECRET not in text
        assert WELL_KNOWN_KEY not in text
        assert cosmos.connection_string not in text
        assert "Traceback" not in text


SEGMENTS = st.one_of(
    st.sampled_from(
        ["follow", "followship", "..", ".", "%2e%2e", "a" * 300, stream(1), "dbs", "*"]
    ),
    st.text(max_size=20),
)
METHODS = st.sampled_from(["GET", "POST", "PUT", "DELETE", "PATCH"])
PATHS = st.one_of(
    st.tuples(st.sampled_from(["commands", "entities", "deadletters"]), SEGMENTS),
    st.tuples(st.sampled_from(["entities", "deadletters"]), SEGMENTS, SEGMENTS),
    st.tuples(st.just("projections"), SEGMENTS, st.just("events"), SEGMENTS, SEGMENTS),
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=12,
)
BODIES = st.one_of(
    st.binary(max_size=200),
    VALUES.map(lambda value: json.dumps(value).encode()),
    st.fixed_dictionaries({"user_id": VALUES, "to_follow": VALUES}).map(
        lambda value: json.dumps(value).encode()
    ),
    st.sampled_from([b"[" * 50_000, b'{"a":' * 20_000, b"\x00", b'{"reason": "\\ud800"}']),
)


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(requests=st.lists(st.tuples(METHODS, PATHS, BODIES, st.text(max_size=40)), max_size=10))
async def test_whatever_is_sent_is_no_500_and_writes_nothing(
    url: str,
    database: DatabaseProxy,
    requests: list[tuple[str, tuple[str, ...], bytes, str]],
) -> None:
    """Rejected with a 4xx, whatever path, method, header and body."""
    connector = aiohttp.TCPConnector(force_close=True)
    async with aiohttp.ClientSession(connector=connector) as session:
        for method, path, body, key in requests:
            headers = {"x-functions-key": SECRET}
            if key.isprintable() and key.isascii() and key.strip():
                headers["Idempotency-Key"] = key
            target = URL(url) / "api"
            for segment in path:
                target = target / (segment.replace("/", "%2f") or "-")
            async with session.request(method, target, data=body, headers=headers) as answer:
                assert 200 <= answer.status < 500, (method, str(target), body[:80])

    assert await documents(database, "events") == []
