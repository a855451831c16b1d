"""The app and the commands under the very rights that `infra/` gives them."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import sys
from collections.abc import AsyncIterator
from typing import Any

import pytest
from azure.cosmos import exceptions
from azure.cosmos.aio import CosmosClient, DatabaseProxy

from core.cosmos.provisioning import provision
from core.settings import Settings
from local.cosmos import EmbeddedCosmos
from tests.acceptance import test_application
from tests.commands import EXAMPLE, ROOT
from tests.rights import assigned_roles
from tests.support import followed, stream, until, user

ALICE, BOB = user(1), user(2)
KEY = base64.b64encode(b"an identity with the roles of infra").decode()

application, app, api = test_application.application, test_application.app, test_application.api


@pytest.fixture
def cosmos_options() -> dict[str, Any]:
    return {"partitions": 2, "roles": {KEY: assigned_roles(Settings().database)}}


@pytest.fixture
def environ(cosmos: EmbeddedCosmos) -> dict[str, str]:
    """The settings of an identity, which is a key here."""
    return {
        "CosmosConnection": f"AccountEndpoint={cosmos.endpoint};AccountKey={KEY};",
        "FeedPollDelayMilliseconds": "50",
    }


@pytest.fixture
async def database(
    cosmos: EmbeddedCosmos, client: CosmosClient, environ: dict[str, str]
) -> AsyncIterator[DatabaseProxy]:
    """The database as the identity sees it; the owner has created it."""
    settings = Settings.from_environ(environ)
    await provision(client, settings)
    async with CosmosClient(cosmos.endpoint, KEY) as limited:
        yield limited.get_database_client(settings.database)


async def admin(environ: dict[str, str], *arguments: str) -> tuple[int | None, str]:
    """Return exit code and output of a command."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "admin", *arguments),
        cwd=EXAMPLE,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environ},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await asyncio.wait_for(process.communicate(), 60)
    return process.returncode, output.decode()


def test_the_roles_are_read_from_the_infrastructure() -> None:
    """Three containers, two roles; the actions have their full names."""
    roles = {
        role.scope.rpartition("/")[2]: role.data_actions
        for role in assigned_roles(Settings().database)
    }

    assert roles.keys() == {"events", "leases", "deadletters"}
    assert roles["leases"] == roles["deadletters"] != roles["events"]
    assert all(a.startswith("Microsoft.DocumentDB/") for names in roles.values() for a in names)


async def test_the_app_works_under_its_rights(api: test_application.Api) -> None:
    """From command to entity: triggers, leases, checkpoints, status."""
    status, _ = await api.follow(ALICE, BOB)
    await api.caught_up()

    async def followed_by_alice() -> bool:
        return await api.followers(BOB) == [str(ALICE)]

    await until(followed_by_alice)
    assert status == 202
    assert (await api.get("health"))[0] == 200


async def test_the_app_cannot_remove_or_replace_an_event(database: DatabaseProxy) -> None:
    """403 with the right that is missing; leases are another matter."""
    events, leases = (database.get_container_client(name) for name in ("events", "leases"))
    event = await events.create_item(followed(1, 2))
    lease = await leases.create_item({"id": "lease"})

    for change in (events.delete_item(event, event["streamId"]), events.replace_item(event, event)):
        with pytest.raises(exceptions.CosmosHttpResponseError, match="RBAC permissions") as caught:
            await change
        assert caught.value.status_code == 403
    await leases.replace_item(lease, lease)
    await leases.delete_item(lease, "lease")


async def test_the_commands_work_under_the_same_rights(
    api: test_application.Api,
    client: CosmosClient,
    database: DatabaseProxy,
    environ: dict[str, str],
) -> None:
    """Status, dead letters and the doctor; to mend an event or to `init` takes the owner's."""
    for follower in (1, 2):
        broken = followed(follower, 3, data={})
        await database.get_container_client("events").create_item(broken)
    await api.caught_up()
    owned = client.get_database_client(database.id).get_container_client("events")
    mended = followed(1, 3)
    await owned.replace_item(mended["id"], mended)

    code, output = await admin(environ, "deadletters", "list", "--json")
    letters = {letter["streamId"]: letter["id"] for letter in json.loads(output)["deadLetters"]}
    mendable, hopeless = letters[stream(1)], letters[stream(2)]
    commands = (
        "status --json",
        f"deadletters show {mendable}",
        f"deadletters replay {mendable}",
        f"deadletters discard {hopeless} --reason broken",
        "doctor",
    )
    results = [await admin(environ, *command.split()) for command in commands]
    init = await admin(environ, "init")

    assert [code, *(result for result, _ in results)] == [0] * 6, results
    assert init[0] == 1
    assert "403" in init[1]
