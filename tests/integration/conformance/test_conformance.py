"""The checks of Cosmos DB pass on the embedded one, and their runs leave nothing behind."""

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
from local.conformance.check import Check, Finding, NotCheckableError
from local.conformance.checks import CHECKS
from local.conformance.embedded import embedded_target
from local.conformance.runner import run
from local.conformance.workspace import Target, Workspace, WorkspaceError, open_workspace
from local.cosmos import WELL_KNOWN_KEY, EmbeddedCosmos
from tests.support import until


def target(server: EmbeddedCosmos) -> Target:
    return Target(endpoint=server.endpoint, key=WELL_KNOWN_KEY)


async def databases(client: CosmosClient) -> list[str]:
    return [database["id"] async for database in client.list_databases()]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def findings() -> AsyncIterator[Mapping[str, Finding]]:
    """Return the findings of all checks on an embedded Cosmos DB whose replicas lag."""
    async with (
        embedded_target(replica_lag=0.2) as embedded,
        open_workspace(embedded) as workspace,
    ):
        by_name = {finding.name: finding for finding in await run(CHECKS, workspace, lambda: None)}
    yield by_name


@pytest.mark.filterwarnings("ignore:Sending a large body:ResourceWarning")  # as meant: 2 MB
@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("name", [check.name for check in CHECKS])
async def test_the_embedded_cosmos_db_passes_the_checks(
    findings: Mapping[str, Finding], name: str
) -> None:
    """The real SDK gets from it what the engine assumes."""
    finding = findings[name]

    assert finding.passed, f"expected {finding.expected}, observed {finding.observed}"


def test_names_are_unique() -> None:
    """Each check is one line of the report."""
    assert len({check.name for check in CHECKS}) == len(CHECKS)


async def test_a_check_that_fails_does_not_end_the_others(cosmos: EmbeddedCosmos) -> None:
    """The report shows its error, and a check that cannot be run does not fail."""

    async def fail(workspace: Workspace) -> str:
        await workspace.events.read_item("missing", "stream")
        return ""

    async def skip(workspace: Workspace) -> str:
        raise NotCheckableError("the account is serverless")

    async def succeed(workspace: Workspace) -> str:
        return "201"

    checks = [Check(name="x", expected="201", observe=observe) for observe in (fail, skip, succeed)]
    async with open_workspace(target(cosmos)) as workspace:
        results = await run(checks, workspace, lambda: None)

    assert [finding.passed for finding in results] == [False, None, True]
    assert results[0].observed.startswith("CosmosResourceNotFoundError: ")
    assert results[1].observed == "not checked: the account is serverless"


@pytest.mark.parametrize("cosmos_options", [{"multiple_write_locations": True}])
async def test_an_account_with_another_setting_fails_its_check(cosmos: EmbeddedCosmos) -> None:
    """With the observation; the other checks of the account pass."""
    about_accounts = [check for check in CHECKS if check.name.startswith("account.")]
    async with open_workspace(target(cosmos)) as workspace:
        results = await run(about_accounts, workspace, lambda: None)

    failed = [finding.observed for finding in results if not finding.passed]
    assert failed == ["1, others can be added"]


async def test_the_database_is_removed_after_a_failure(
    cosmos: EmbeddedCosmos, client: CosmosClient
) -> None:
    """And it was there before."""

    async def break_down() -> None:
        async with open_workspace(target(cosmos)):
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
        async with open_workspace(target(cosmos)):
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
        return bool([item async for item in container.query_items("SELECT c.id FROM c")])
    except CosmosHttpResponseError:
        return False


async def test_the_command_starts_an_embedded_cosmos_db_and_prints_json() -> None:
    """Standard output is the array and nothing else; the exit code is 1 if a check fails."""
    process = await started("--json")
    output, error = await process.communicate()

    results: list[dict[str, Any]] = json.loads(output)
    has_failure = any(result["passed"] is False for result in results)
    assert [result["name"] for result in results] == [check.name for check in CHECKS]
    assert all(set(result) == {"name", "expected", "observed", "passed"} for result in results)
    assert process.returncode == int(has_failure), error.decode()


async def test_the_command_reports_a_failed_connection() -> None:
    """In one line, without a traceback."""
    process = await started("--endpoint", "http://127.0.0.1:1/")
    _, error = await process.communicate()

    assert process.returncode == 1
    assert error.decode().startswith("Cannot run the checks: ")
    assert "Traceback" not in error.decode()
