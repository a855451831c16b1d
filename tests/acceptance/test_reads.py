"""Entities as they are read over HTTP: what is read is whole, and as new as is asked for."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from azure.cosmos.aio import DatabaseProxy

from tests.acceptance import test_application
from tests.acceptance.test_application import Api
from tests.support import followed, until, user

api, app, application = test_application.api, test_application.app, test_application.application

ALICE, BOB = UUID("ABCDEF12-3456-4789-8ABC-DEF123456789"), user(2)
PATH = f"entities/followship/{ALICE}"


async def answer(api: Api, path: str, **headers: str) -> tuple[int, Any, str | None]:
    """Return status, body and entity tag."""
    url = f"{api._url}/api/{path}"
    async with api._session.get(url, headers=headers) as response:
        tag = response.headers.get("ETag")
        body = await response.json(content_type=None) if await response.read() else None
        return response.status, body, tag


async def test_an_entity_that_has_not_changed_is_not_sent_again(api: Api) -> None:
    """By its tag, which every event of the stream changes."""
    await api.follow(ALICE, BOB)
    _, body, tag = await answer(api, PATH)
    assert body["following"] == [str(BOB)]
    assert tag is not None
    assert tag.startswith('"1.')

    assert await answer(api, PATH, **{"If-None-Match": f'"x", W/{tag}'}) == (304, None, tag)
    assert (await answer(api, PATH, **{"If-None-Match": '"x"'}))[0] == 200

    await api.follow(ALICE, user(3))
    status, _, changed = await answer(api, PATH, **{"If-None-Match": tag})
    assert status == 200
    assert changed is not None
    assert changed.startswith('"2.')


async def test_a_read_waits_for_a_position(api: Api) -> None:
    """Which a command has returned, perhaps from another host."""
    for target in (2, 3):
        await api.follow(ALICE, user(target))

    status, body, _ = await answer(api, PATH, **{"Minimum-Position": "2"})

    assert (status, len(body["following"])) == (200, 2)


async def test_a_position_that_is_not_reached_is_said(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the entity has no events at all; nothing older is shown."""
    monkeypatch.setattr("core.application._MAX_POSITION_WAIT_SECONDS", 0.3)

    status, body, _ = await answer(api, PATH, **{"Minimum-Position": "1"})
    wrong, problem, _ = await answer(api, PATH, **{"Minimum-Position": "-1"})

    assert status == 503
    assert body["detail"] == "The stream has not reached position 1 yet. Retry later."
    assert wrong == 400
    assert "Minimum-Position" in problem["detail"]


async def test_a_command_may_demand_that_the_entity_has_not_changed(api: Api) -> None:
    """By its whole tag, once; a repetition with the key gets its answer again."""
    await api.follow(ALICE, BOB)
    _, _, tag = await answer(api, PATH)
    assert tag is not None
    demand = {"If-Match": tag, "Idempotency-Key": "k"}

    first, accepted = await api.follow(ALICE, user(3), **demand)
    again, repeated = await api.follow(ALICE, user(3), **demand)
    other, _ = await api.follow(ALICE, user(4), **{"If-Match": tag})
    nobody, _ = await api.follow(user(9), BOB, **{"If-Match": tag})

    assert (first, again, other, nobody) == (202, 202, 412, 412)
    assert repeated["position"] == accepted["position"] == 2


async def test_a_command_may_demand_a_tag_and_a_position(api: Api) -> None:
    """Both must hold."""
    await api.follow(ALICE, BOB)
    _, _, tag = await answer(api, PATH)
    assert tag is not None

    wrong, _ = await api.follow(ALICE, user(3), **{"If-Match": tag, "Expected-Position": "7"})
    right, _ = await api.follow(ALICE, user(3), **{"If-Match": tag, "Expected-Position": "1"})

    assert (wrong, right) == (412, 202)


@pytest.mark.parametrize("spelling", [str(ALICE).upper(), ALICE.hex, f"urn:uuid:{ALICE}"])
async def test_every_spelling_of_an_id_names_one_stream(api: Api, spelling: str) -> None:
    """In commands, reads and status."""
    body = {"user_id": spelling, "to_follow": str(BOB)}
    _, accepted = await api.post("commands/follow", body)
    (event_id,) = accepted["eventIds"]

    _, entity, _ = await answer(api, f"entities/followship/{spelling}")
    path = f"projections/followship/events/followship-{spelling}/{event_id}"
    status, event, _ = await answer(api, path)

    assert entity["following"] == [str(BOB)]
    assert (status, event["streamId"]) == (200, f"followship-{ALICE}")


@pytest.mark.parametrize("changes", [{"type": "Renamed"}, {"data": {}}, {"version": 9}])
async def test_an_event_that_cannot_be_read_is_an_error_of_its_entity(
    api: Api, database: DatabaseProxy, changes: dict[str, Any]
) -> None:
    """With what is needed to find it; other entities are read."""
    events = database.get_container_client("events")
    await events.create_item({**followed(1, 2, "fine")})
    await events.create_item({**followed(1, 3, "broken"), **changes})
    await events.create_item(followed(4, 5, "other"))

    async def has_it() -> bool:
        return "broken" in str(await answer(api, f"entities/followship/{user(1)}"))

    await until(has_it)  # what another process writes may take its time
    status, body, _ = await answer(api, f"entities/followship/{user(1)}")

    assert (status, body["type"]) == (500, "/problems/unreadable_event")
    assert (body["eventId"], body["eventType"]) == ("broken", changes.get("type", "Followed"))
    assert "cannot be read" in body["detail"]
