"""The whole application through the functions that it declares."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import Any

import aiohttp
import azure.functions as func
import pytest
from azure.cosmos.aio import DatabaseProxy

from core.application import Application
from core.errors import SettingError
from core.functions.routes import register_routes
from core.functions.triggers import register_triggers
from local.host import FunctionsHost, HostOptions
from tests.apps import follows
from tests.support import both_date_handlings, followed, stream, until, user

ALICE, BOB, EVE = user(1), user(2), user(3)


class Api:
    """A caller of the HTTP functions."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self._url = url

    async def get(self, path: str) -> tuple[int, Any]:
        async with self._session.get(f"{self._url}/api/{path}") as response:
            return response.status, await response.json(content_type=None)

    async def post(self, path: str, body: Any, **headers: str) -> tuple[int, Any]:
        options: dict[str, Any] = {"data": body} if isinstance(body, bytes) else {"json": body}
        async with self._session.post(
            f"{self._url}/api/{path}", headers=headers, **options
        ) as response:
            return response.status, await response.json(content_type=None)

    async def follow(self, follower: object, target: object, **headers: str) -> tuple[int, Any]:
        body = {"user_id": str(follower), "to_follow": str(target)}
        return await self.post("commands/follow", body, **headers)

    async def followers(self, target: object) -> list[str]:
        status, body = await self.get(f"entities/followship/{target}")
        followers: list[str] = body["followers"] if status == 200 else []
        return followers

    async def caught_up(self) -> None:
        async def caught_up() -> bool:
            _, body = await self.get("projections")
            return all(projection["caughtUp"] for projection in body["projections"])

        await until(caught_up)


@pytest.fixture
async def application(environ: dict[str, str]) -> AsyncIterator[Application]:
    application = Application.discover(follows, environ)
    yield application
    await application.close()


@pytest.fixture
def app(application: Application, environ: dict[str, str]) -> func.FunctionApp:
    """As function_app.py puts it together."""
    function_app = func.FunctionApp(http_auth_level=func.AuthLevel.FUNCTION)
    register_triggers(function_app, application, environ)
    register_routes(function_app, application)
    return function_app


@pytest.fixture
async def api(
    app: func.FunctionApp, database: DatabaseProxy, environ: dict[str, str]
) -> AsyncIterator[Api]:
    """The application, running on the local Functions host."""
    options = HostOptions(port=0, function_key="k", lease_expiration=2.0)
    async with (
        FunctionsHost(options, environ, app) as host,
        aiohttp.ClientSession(headers={"x-functions-key": "k"}) as session,
    ):
        yield Api(session, host.url)


async def documents(database: DatabaseProxy, container: str = "events") -> list[dict[str, Any]]:
    items = database.get_container_client(container).query_items("SELECT * FROM c")
    return [item async for item in items]


@both_date_handlings
async def test_who_follows_somebody_appears_among_their_followers(api: Api) -> None:
    """The idea, from command to entity."""
    status, body = await api.follow(ALICE, BOB)

    async def followed_by_alice() -> bool:
        return await api.followers(BOB) == [str(ALICE)]

    await until(followed_by_alice)
    assert status == 202
    assert len(body["eventIds"]) == 1
    assert (await api.get(f"entities/followship/{ALICE}"))[1] == {
        "following": [str(BOB)],
        "followers": [],
    }


@both_date_handlings
async def test_a_repeated_request_is_one_request(api: Api, database: DatabaseProxy) -> None:
    """By its idempotency key, whose document projections and entities pass over."""
    headers = {"Idempotency-Key": "k1"}

    first = await api.follow(ALICE, BOB, **headers)
    second = await api.follow(ALICE, BOB, **headers)
    await api.caught_up()

    assert first == second == (202, {"eventIds": ["n000000000001"], "position": 1})
    assert sorted(document["type"] for document in await documents(database)) == [
        "$key",
        "Followed",
        "WasFollowed",
    ]


@both_date_handlings
async def test_following_twice_leaves_one_follow(api: Api) -> None:
    """Under a new request as well."""
    await api.follow(ALICE, BOB)
    await api.follow(ALICE, BOB)
    await api.caught_up()

    assert await api.followers(BOB) == [str(ALICE)]


async def test_a_key_for_two_requests_is_rejected(api: Api) -> None:
    """422, and the first one stands."""
    await api.follow(ALICE, BOB, **{"Idempotency-Key": "k"})

    status, body = await api.follow(ALICE, EVE, **{"Idempotency-Key": "k"})

    assert (status, body["title"]) == (422, HTTPStatus(422).phrase)


@pytest.mark.parametrize(
    ("path", "body", "status", "field"),
    [
        pytest.param("commands/nothing", {}, 404, None, id="unknown command"),
        pytest.param("commands/follow", b"{", 400, "", id="no JSON"),
        pytest.param("commands/follow", b"", 400, "", id="no body"),
        pytest.param("commands/follow", [], 400, "", id="no object"),
        pytest.param("commands/follow", {"user_id": str(ALICE)}, 400, "to_follow", id="missing"),
        pytest.param(
            "commands/follow", {"user_id": 5, "to_follow": str(BOB)}, 400, "user_id", id="type"
        ),
        pytest.param(
            "commands/follow",
            {"user_id": "x" * 100_000, "to_follow": str(BOB)},
            400,
            "user_id",
            id="over-long",
        ),
        pytest.param(
            "commands/follow",
            {"user_id": str(ALICE), "to_follow": str(BOB), "more": 1},
            400,
            "more",
            id="extra field",
        ),
        pytest.param(
            "commands/follow",
            {"user_id": str(ALICE), "to_follow": str(ALICE)},
            422,
            "to_follow",
            id="oneself",
        ),
        pytest.param("commands/follow", b" " * (1024 * 1024 + 1), 413, None, id="too large"),
    ],
)
@pytest.mark.filterwarnings("ignore:Sending a large body")  # of this test's own client
async def test_a_bad_request_is_named_and_changes_nothing(
    api: Api, database: DatabaseProxy, path: str, body: Any, status: int, field: str | None
) -> None:
    """As a problem document with the field at fault."""
    answer, problem = await api.post(path, body)

    assert answer == problem["status"] == status
    assert problem["title"]
    assert problem["detail"]
    if field is not None:
        assert [error["field"] for error in problem["errors"]] == [field]
    assert await documents(database) == []


async def test_an_over_long_key_is_rejected(api: Api) -> None:
    """By the header's name."""
    status, body = await api.follow(ALICE, BOB, **{"Idempotency-Key": "x" * 256})

    assert (status, "Idempotency-Key" in body["detail"]) == (400, True)


@pytest.mark.parametrize(
    "path",
    [
        "entities/nothing/1",
        "entities/followship/unknown",
        "entities/followship/%2e%2e%2fx",
        f"projections/nothing/events/{stream(1)}/x",
        f"projections/followship/events/{stream(1)}/x",
    ],
)
async def test_what_is_not_there_is_a_404(api: Api, path: str) -> None:
    """Entity, id, projection, event."""
    status, body = await api.get(path)

    assert (status, body["status"]) == (404, 404)


@both_date_handlings
async def test_poison_is_parked_and_everything_around_it_is_projected(
    api: Api, database: DatabaseProxy
) -> None:
    """With the reason, and told for the event."""
    events = database.get_container_client("events")
    await events.create_item(followed(4, 2))
    await events.create_item({"id": "no-event", "streamId": stream(4), "anything": 1})
    await events.create_item(followed(4, 5, "astray", data={"user_id": "x", "to_follow": "y"}))
    await events.create_item({"id": "no-stream"})
    await events.create_item(followed(4, 3))
    await api.caught_up()

    letters = await documents(database, "deadletters")
    status, answer = await api.get(f"projections/followship/events/{stream(4)}/astray")

    assert await api.followers(user(2)) == await api.followers(user(3)) == [str(user(4))]
    assert sorted(letter["eventId"] for letter in letters) == ["astray", "no-event", "no-stream"]
    assert status == 200
    assert answer["processed"] is True
    assert "The data is not a valid Followed" in answer["deadLetterReasons"][0]


@both_date_handlings
async def test_dead_letters_are_dealt_with_over_http(api: Api, database: DatabaseProxy) -> None:
    """List, show, replay, discard; an unknown one is a 404, a missing reason a 400."""
    events = database.get_container_client("events")
    await events.create_item(followed(4, 5, "astray", data={}))
    await api.caught_up()
    _, fetch_all = await api.get("deadletters?projection=followship")
    letter = fetch_all["deadLetters"][0]["id"]

    failed = await api.post(f"deadletters/{letter}/replay", {})
    unwanted = await api.post(f"deadletters/{letter}/discard", {})
    discarded = await api.post(f"deadletters/{letter}/discard", {"reason": "a test"})
    shown = await api.get(f"deadletters/{letter}")
    unknown = await api.post("deadletters/nothing/replay", {})

    assert fetch_all["next"] is None
    assert (failed[0], failed[1]["replayed"]) == (200, False)
    assert (unwanted[0], unwanted[1]["errors"][0]["field"]) == (400, "reason")
    assert (discarded[0], shown[1]["discardReason"]) == (200, "a test")
    assert shown[1]["attempts"] == 2
    assert unknown[0] == 404
    assert (await api.get("deadletters"))[1] == {"deadLetters": [], "next": None}


async def test_a_batch_delivered_twice_adds_no_document(
    application: Application, database: DatabaseProxy
) -> None:
    """Through the application, on stored events."""
    batch = [followed(1, number) for number in range(2, 150)]

    for _ in range(2):
        await application.project("followship", batch)

    stored = await documents(database)
    assert len(stored) == len(batch)
    assert {document["type"] for document in stored} == {"WasFollowed"}


async def test_many_streams_and_one_hot_stream_are_written_exactly(
    application: Application, database: DatabaseProxy
) -> None:
    """More than fit one transactional batch, in order."""
    batch = [followed(number, 1) for number in range(2, 252)]
    batch += [followed(1, number) for number in range(2, 100)]

    outcome = await application.project("followship", batch)

    hot = (await application.load_entity("followship", str(user(1)))).entity
    assert outcome.derived == len(await documents(database)) == 348
    assert hot.model_dump()["followers"] == {user(number) for number in range(2, 252)}


@pytest.mark.parametrize("cosmos_options", [{"partitions": 2, "throughput": 400}])
async def test_a_throttled_account_is_waited_for(
    application: Application,
    database: DatabaseProxy,
    cosmos_options: dict[str, Any],
) -> None:
    """Until everything is there, exactly once."""
    batch = [followed(number, number % 7 + 100) for number in range(200)]

    outcome = await application.project("followship", batch)

    assert outcome.stats.throttled_requests > 0
    assert outcome.stats.wait_seconds > 0
    assert len(await documents(database)) == 200


async def test_a_projection_keeps_to_its_ceiling(
    environ: dict[str, str], database: DatabaseProxy
) -> None:
    """Request units a second, whatever the account would take."""
    ceiling = 500.0
    environ = {**environ, "RequestUnitLimits": f"followship.followers={ceiling}"}
    application = Application.discover(follows, environ)
    documents = [followed(number, number + 500) for number in range(1, 101)]
    begun = time.monotonic()

    outcome = await application.project("followship", documents)

    seconds = time.monotonic() - begun
    await application.close()
    assert outcome.derived == 100
    assert outcome.stats.throttled_requests == 0
    assert outcome.stats.request_charge <= ceiling * (seconds + 0.5)


async def test_a_ceiling_of_no_projection_is_named(environ: dict[str, str]) -> None:
    """Before anything is declared to the host."""
    environ = {**environ, "RequestUnitLimits": "followship.folowers=500"}
    application = Application.discover(follows, environ)

    with pytest.raises(SettingError, match=r"RequestUnitLimits.*'followship\.folowers'"):
        register_triggers(func.FunctionApp(), application, environ)


async def test_health_is_open_and_names_nothing(api: Api) -> None:
    """What is wrong is shown by codes, and nothing is."""
    assert await api.get("health") == (200, {"status": "ok", "reasons": {}})


async def test_missing_settings_are_named_in_the_log(
    caplog: pytest.LogCaptureFixture, app: func.FunctionApp
) -> None:
    """And the caller is told that it is not their fault."""
    application = Application.discover(follows, {})
    bare = func.FunctionApp(http_auth_level=func.AuthLevel.FUNCTION)
    register_routes(bare, application)
    handlers = {
        function.get_function_name(): function.get_user_function()
        for function in bare.get_functions()
    }
    request = func.HttpRequest(method="GET", url="/api/health", body=b"")

    answer = await asyncio.wait_for(handlers["health"](request), 10)

    assert answer.status_code == 503
    assert b"CosmosConnection" not in answer.get_body()
    assert "Setting CosmosConnection: is missing" in caplog.text
