"""The beliefs about Cosmos DB hold for the embedded one, and its runs leave nothing behind."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest
import pytest_asyncio
from azure.cosmos.aio import CosmosClient
from azure.cosmos.exceptions import CosmosHttpResponseError

from local.conformance import workspace as workspaces
from local.conformance.beliefs import CHECKS
from local.conformance.checks import Check, Finding, NotCheckableError
from local.conformance.embedded import embedded_target
from local.conformance.runner import run
from local.conformance.workspace import Target, Workspace, WorkspaceError, opened_workspace
from local.cosmos import WELL_KNOWN_KEY, EmbeddedCosmos
from tests.support import until


def target(server: EmbeddedCosmos) -> Target:
    return Target(endpoint=server.endpoint, key=WELL_KNOWN_KEY)


async def databases(client: CosmosClient) -> list[str]:
    return [each["id"] async for each in client.list_databases()]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def findings() -> AsyncIterator[Mapping[str, Finding]]:
    """What all checks find on an embedded Cosmos DB whose replicas lag."""
    async with (
        embedded_target(replica_lag=0.2) as embedded,
        opened_workspace(embedded) as workspace,
    ):
        found = await run(CHECKS, workspace, lambda: None)
    yield {each.name: each for each in found}


@pytest.mark.filterwarnings("ignore:Sending a large body:ResourceWarning")  # as meant: 2 MB
@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("name", [each.name for each in CHECKS])
async def test_the_embedded_cosmos_db_is_as_believed(
    findings: Mapping[str, Finding], name: str
) -> None:
    """The real SDK sees on it what the engine rests on."""
    finding = findings[name]

    assert finding.ok, f"believed {finding.believed}, saw {finding.seen}"


def test_names_are_unique() -> None:
    """Each belief is one line of the report."""
    assert len({each.name for each in CHECKS}) == len(CHECKS)


async def test_a_check_that_fails_does_not_end_the_others(cosmos: EmbeddedCosmos) -> None:
    """The report shows its error, and what cannot be checked is no contradiction."""

    async def fail(workspace: Workspace) -> str:
        await workspace.events.read_item("missing", "stream")
        return ""

    async def skip(workspace: Workspace) -> str:
        raise NotCheckableError("the account is serverless")

    async def succeed(workspace: Workspace) -> str:
        return "201"

    checks = [Check(name="x", believed="201", observe=each) for each in (fail, skip, succeed)]
    async with opened_workspace(target(cosmos)) as workspace:
        found = await run(checks, workspace, lambda: None)

    assert [each.ok for each in found] == [False, None, True]
    assert found[0].seen.startswith("CosmosResourceNotFoundError: ")
    assert found[1].seen == "not checked: the account is serverless"


@pytest.mark.parametrize("cosmos_options", [{"multiple_write_locations": True}])
async def test_an_account_that_is_otherwise_is_told(cosmos: EmbeddedCosmos) -> None:
    """With what was seen; the other beliefs of its kind are confirmed."""
    about_accounts = [each for each in CHECKS if each.name.startswith("account.")]
    async with opened_workspace(target(cosmos)) as workspace:
        found = await run(about_accounts, workspace, lambda: None)

    assert [each.seen for each in found if not each.ok] == ["1, others can be added"]


async def test_the_database_is_removed_after_a_failure(
    cosmos: EmbeddedCosmos, client: CosmosClient
) -> None:
    """And it was there before."""

    async def break_down() -> None:
        async with opened_workspace(target(cosmos)):
            assert len(await databases(client)) == 1
            raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        await break_down()

    assert await databases(client) == []


async def test_a_database_that_exists_is_left_alone(
    cosmos: EmbeddedCosmos, client: CosmosClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even one whose name was drawn by chance."""
    monkeypatch.setattr(workspaces, "new_name", lambda: "taken")
    await client.create_database("taken")

    with pytest.raises(WorkspaceError, match="Cannot create database taken"):
        async with opened_workspace(target(cosmos)):
            pass

    assert await databases(client) == ["taken"]


async def started(*arguments: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "local", "conformance", *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_the_database_is_removed_when_the_command_is_stopped(
    cosmos: EmbeddedCosmos, client: CosmosClient, number: signal.Signals
) -> None:
    """In the middle of the checks."""
    process = await started("--endpoint", cosmos.endpoint)

    async def is_checking() -> bool:
        names = await databases(client)
        return bool(names) and await has_items(client, names[0])

    await until(is_checking)
    process.send_signal(number)
    _, error = await process.communicate()

    assert process.returncode == 130, error.decode()
    assert await databases(client) == []


async def has_items(client: CosmosClient, database: str) -> bool:
    container = client.get_database_client(database).get_container_client("events")
    try:
        return bool([each async for each in container.query_items("SELECT c.id FROM c")])
    except CosmosHttpResponseError:
        return False


async def test_the_command_starts_an_embedded_cosmos_db_and_prints_json() -> None:
    """Standard output is the array and nothing else; the exit code tells of a contradiction."""
    process = await started("--json")
    output, error = await process.communicate()

    found: list[dict[str, Any]] = json.loads(output)
    assert [each["name"] for each in found] == [each.name for each in CHECKS]
    assert all(set(each) == {"name", "believed", "seen", "ok"} for each in found)
    assert process.returncode == int(any(each["ok"] is False for each in found)), error.decode()


async def test_the_command_says_that_nobody_answers() -> None:
    """In one line, without a traceback."""
    process = await started("--endpoint", "http://127.0.0.1:1/")
    _, error = await process.communicate()

    assert process.returncode == 1
    assert error.decode().startswith("The beliefs cannot be checked: ")
    assert "Traceback" not in error.decode()
