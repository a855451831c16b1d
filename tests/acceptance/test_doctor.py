"""The doctor finds each problem of a deployment, and none in a correct one."""

from __future__ import annotations

import json
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from azure.cosmos import PartitionKey
from azure.cosmos.aio import DatabaseProxy

from admin.doctor import account, command
from admin.doctor.account import _unreadable_container, check_account
from admin.doctor.command import _check
from core.errors import ConfigurationError
from core.settings import Settings
from local.cosmos import EmbeddedCosmos
from local.harness.processes import free_port
from tests.apps import follows
from tests.commands import EXAMPLE, ROOT, run_in
from tests.support import DATE_HANDLING

Change = Callable[[dict[str, str], dict[str, Any]], None]


@pytest.fixture(autouse=True)
def _application(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "projections", follows)


@pytest.fixture
def replica_lag() -> float:
    """No lag: an account has been as it is for long when the doctor checks it."""
    return 0.0


@pytest.fixture
def values(cosmos: EmbeddedCosmos) -> dict[str, str]:
    example = json.loads((ROOT / "local.settings.json.example").read_text(encoding="utf-8"))
    example_values: dict[str, str] = example["Values"]
    return {**example_values, "CosmosConnection": cosmos.connection_string}


@pytest.fixture
def host() -> dict[str, Any]:
    content: dict[str, Any] = json.loads((EXAMPLE / "host.json").read_text(encoding="utf-8"))
    return content


async def examine(folder: Path, values: object, host: object) -> dict[str, str]:
    """Return the severities of the findings for these settings and this host.json, by code."""
    settings, host_file = folder / "settings.json", folder / "host.json"
    settings.write_text(json.dumps({"Values": values}), encoding="utf-8")
    host_file.write_text(json.dumps(host), encoding="utf-8")
    findings = await _check(settings, host_file)
    assert all(finding.message and finding.remedy for finding in findings)
    return {finding.code: finding.severity for finding in findings}


async def test_a_correct_deployment_has_no_findings(
    tmp_path: Path, values: dict[str, str], host: dict[str, Any], database: DatabaseProxy
) -> None:
    """With the example's settings and host.json, and provisioned containers."""
    assert await examine(tmp_path, values, host) == {}


CONFIGURATIONS: dict[str, Change] = {
    "setting-unknown": lambda values, _: values.update(EventContainer="events"),
    "setting-invalid": lambda values, _: values.update(MaxHops="many"),
    "connection-missing": lambda values, _: values.update(CosmosConnection=""),
    "container-name-duplicate": lambda values, _: values.update(LeasesContainer="events"),
    "worker-runtime": lambda values, _: values.update(FUNCTIONS_WORKER_RUNTIME="node"),
    "timeout-short": lambda _, host: host.update(functionTimeout="00:04:20"),
    "timeout-invalid": lambda _, host: host.update(functionTimeout="ten minutes"),
    "bundle-outdated": lambda _, host: host["extensionBundle"].update(version="[3.*, 4.0.0)"),
    "dates-rewritten": lambda _, host: host["extensions"]["cosmosDB"].pop("serializerSettings"),
    "endpoint-unreachable": lambda values, _: values.update(
        CosmosConnection=f"AccountEndpoint=http://127.0.0.1:{free_port()}/;AccountKey=bm9uZQ==;"
    ),
    "key-rejected": lambda values, _: values.update(
        CosmosConnection=values["CosmosConnection"].partition("AccountKey=")[0]
        + "AccountKey=bm9uZQ==;"
    ),
    "container-missing": lambda values, _: values.update(DeadLettersContainer="nowhere"),
}


@pytest.mark.parametrize("code", CONFIGURATIONS)
async def test_problems_of_the_configuration_are_found(
    tmp_path: Path,
    values: dict[str, str],
    host: dict[str, Any],
    database: DatabaseProxy,
    code: str,
) -> None:
    """Each problem individually."""
    CONFIGURATIONS[code](values, host)

    assert code in await examine(tmp_path, values, host)


async def test_settings_of_the_host_come_before_host_json(
    tmp_path: Path, values: dict[str, str], host: dict[str, Any], database: DatabaseProxy
) -> None:
    """The host reads both."""
    values[DATE_HANDLING] = "DateTime"

    assert await examine(tmp_path, values, host) == {"dates-rewritten": "warning"}


async def _replace(database: DatabaseProxy, name: str, key: str, **options: Any) -> None:
    await database.delete_container(name)
    await database.create_container(name, PartitionKey(key), **options)


def _index(*paths: str) -> dict[str, Any]:
    return {
        "indexingMode": "consistent",
        "includedPaths": [{"path": path} for path in paths],
        "excludedPaths": [{"path": '/"_etag"/?' if "/*" in paths else "/*"}],
    }


async def _taken(database: DatabaseProxy) -> None:
    leases = database.get_container_client("leases")
    await leases.create_item({"id": "followship-other.documents.azure.com_AAA=_BBB=..0"})


ACCOUNTS: dict[str, tuple[str, Callable[[DatabaseProxy], Awaitable[None]]]] = {
    "partition-key-mismatch": ("error", lambda database: _replace(database, "events", "/id")),
    "ttl-disabled": ("error", lambda database: _replace(database, "events", "/streamId")),
    "ttl-expires-items": (
        "error",
        lambda database: _replace(database, "events", "/streamId", default_ttl=60),
    ),
    "index-too-broad": (
        "warning",
        lambda database: _replace(database, "events", "/streamId", indexing_policy=_index("/*")),
    ),
    "index-missing": (
        "warning",
        lambda database: _replace(database, "deadletters", "/id", indexing_policy=_index("/a/?")),
    ),
    "lease-prefix-in-use": ("error", _taken),
}


@pytest.mark.parametrize("code", ACCOUNTS)
async def test_problems_of_the_account_are_found(
    tmp_path: Path,
    values: dict[str, str],
    host: dict[str, Any],
    database: DatabaseProxy,
    code: str,
) -> None:
    """Each problem individually, with its severity."""
    severity, plant = ACCOUNTS[code]
    await plant(database)

    assert (await examine(tmp_path, values, host)).get(code) == severity


@pytest.mark.parametrize(
    ("cosmos_options", "codes"),
    [
        ({"consistency": "Eventual"}, {"consistency-weak"}),
        ({"consistency": "ConsistentPrefix"}, {"consistency-weak"}),
        ({"consistency": "BoundedStaleness"}, set()),
        ({"consistency": "Strong"}, set()),
        ({"multiple_write_locations": True}, {"several-write-regions"}),
    ],
)
async def test_an_account_that_replicates_in_another_way_is_found(
    tmp_path: Path,
    values: dict[str, str],
    host: dict[str, Any],
    database: DatabaseProxy,
    codes: set[str],
) -> None:
    """The application would read less than it has written, or lose it, without an error."""
    assert (await examine(tmp_path, values, host)).keys() == codes


async def test_leases_that_cannot_be_read_hide_no_other_finding(
    tmp_path: Path,
    values: dict[str, str],
    host: dict[str, Any],
    database: DatabaseProxy,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A role may allow to read the container, but not to query it."""

    async def reject(_: object) -> list[object]:
        raise ConfigurationError("rejected", status=403)

    await database.delete_container("deadletters")
    monkeypatch.setattr(account, "collect", reject)

    assert await examine(tmp_path, values, host) == {
        "container-missing": "error",
        "role-missing": "error",
    }


@pytest.mark.parametrize(
    ("status", "code"),
    [(401, "key-rejected"), (403, "role-missing"), (503, "container-unreadable")],
)
def test_rejections_of_the_account_are_distinguished(status: int, code: str) -> None:
    """The embedded Cosmos DB has no roles, so the test makes up the response."""
    failure = ConfigurationError("rejected", status=status)

    finding = _unreadable_container("events", "projections", failure)

    assert (finding.code, finding.severity) == (code, "error")


async def test_a_wrong_clock_is_found(values: dict[str, str], database: DatabaseProxy) -> None:
    """By the date that the service returns."""
    settings = Settings.from_environ(values)

    findings = check_account(settings, ["followship"], lambda: time.time() + 120)

    assert [finding.code async for finding in findings] == ["clock-skew"]


async def test_settings_of_a_deployment_are_read_as_azure_prints_them(
    tmp_path: Path, values: dict[str, str], host: dict[str, Any], database: DatabaseProxy
) -> None:
    """`az functionapp config appsettings list` prints a list of names and values."""
    listed = [
        {"name": name, "value": value, "slotSetting": False} for name, value in values.items()
    ]
    path = tmp_path / "settings.json"
    path.write_text(json.dumps(listed), encoding="utf-8")

    assert await _check(path, EXAMPLE / "host.json") == []


@pytest.mark.parametrize(("file", "code"), [("broken.json", 1), ("settings.json", 1)])
def test_errors_exit_with_1(tmp_path: Path, file: str, code: int) -> None:
    """And standard output is one JSON object."""
    (tmp_path / "broken.json").write_text("{", encoding="utf-8")
    (tmp_path / "settings.json").write_text('{"Values": {}}', encoding="utf-8")

    done = run_in(EXAMPLE, "admin", "doctor", "--json", "--settings", str(tmp_path / file))

    assert done.returncode == code
    assert json.loads(done.stdout)["findings"][0]["severity"] == "error"
