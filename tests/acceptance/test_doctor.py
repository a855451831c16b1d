"""The doctor finds what is wrong with a set-up, and nothing in a sound one."""

from __future__ import annotations

import json
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from azure.cosmos import PartitionKey
from azure.cosmos.aio import DatabaseProxy

from admin.doctor import command
from admin.doctor.account import _unreadable, check_account
from admin.doctor.command import _examine
from core.errors import ConfigurationError
from core.settings import Settings
from local.cosmos import EmbeddedCosmos
from local.stage.processes import free_port
from tests.apps import follows
from tests.commands import EXAMPLE, ROOT, run_in

Change = Callable[[dict[str, str], dict[str, Any]], None]


@pytest.fixture(autouse=True)
def _application(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "projections", follows)


@pytest.fixture
def replica_lag() -> float:
    """No lag: what is wrong with an account has been so for long when somebody asks."""
    return 0.0


@pytest.fixture
def values(cosmos: EmbeddedCosmos) -> dict[str, str]:
    example = json.loads((ROOT / "local.settings.json.example").read_text(encoding="utf-8"))
    found: dict[str, str] = example["Values"]
    return {**found, "CosmosConnection": cosmos.connection_string}


@pytest.fixture
def host() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((EXAMPLE / "host.json").read_text(encoding="utf-8"))
    return found


async def examine(folder: Path, values: object, host: object) -> dict[str, str]:
    """Codes and levels of what is found with these settings and this host.json."""
    settings, host_file = folder / "settings.json", folder / "host.json"
    settings.write_text(json.dumps({"Values": values}), encoding="utf-8")
    host_file.write_text(json.dumps(host), encoding="utf-8")
    found = await _examine(settings, host_file)
    assert all(each.what and each.remedy for each in found)
    return {each.code: each.level for each in found}


async def test_nothing_is_wrong_with_a_sound_set_up(
    tmp_path: Path, values: dict[str, str], host: dict[str, Any], database: DatabaseProxy
) -> None:
    """The example's settings and host.json, and the containers as they are provisioned."""
    assert await examine(tmp_path, values, host) == {}


CONFIGURATIONS: dict[str, Change] = {
    "setting-unread": lambda values, _: values.update(EventContainer="events"),
    "setting-unreadable": lambda values, _: values.update(MaxHops="many"),
    "connection-missing": lambda values, _: values.update(CosmosConnection=""),
    "container-shared": lambda values, _: values.update(LeasesContainer="events"),
    "runtime": lambda values, _: values.update(FUNCTIONS_WORKER_RUNTIME="node"),
    "timeout-short": lambda _, host: host.update(functionTimeout="00:04:20"),
    "timeout-unreadable": lambda _, host: host.update(functionTimeout="ten minutes"),
    "bundle-old": lambda _, host: host["extensionBundle"].update(version="[3.*, 4.0.0)"),
    "endpoint-unreachable": lambda values, _: values.update(
        CosmosConnection=f"AccountEndpoint=http://127.0.0.1:{free_port()}/;AccountKey=bm9uZQ==;"
    ),
    "key-refused": lambda values, _: values.update(
        CosmosConnection=values["CosmosConnection"].partition("AccountKey=")[0]
        + "AccountKey=bm9uZQ==;"
    ),
    "container-missing": lambda values, _: values.update(DeadLettersContainer="nowhere"),
}


@pytest.mark.parametrize("code", CONFIGURATIONS)
async def test_what_is_wrong_with_the_configuration_is_found(
    tmp_path: Path,
    values: dict[str, str],
    host: dict[str, Any],
    database: DatabaseProxy,
    code: str,
) -> None:
    """Each fault by itself."""
    CONFIGURATIONS[code](values, host)

    assert code in await examine(tmp_path, values, host)


async def _replace(database: DatabaseProxy, name: str, key: str, **options: Any) -> None:
    await database.delete_container(name)
    await database.create_container(name, PartitionKey(key), **options)


def _index(*paths: str) -> dict[str, Any]:
    return {
        "indexingMode": "consistent",
        "includedPaths": [{"path": each} for each in paths],
        "excludedPaths": [{"path": '/"_etag"/?' if "/*" in paths else "/*"}],
    }


async def _taken(database: DatabaseProxy) -> None:
    leases = database.get_container_client("leases")
    await leases.create_item({"id": "followship-other.documents.azure.com_AAA=_BBB=..0"})


ACCOUNTS: dict[str, tuple[str, Callable[[DatabaseProxy], Awaitable[None]]]] = {
    "partition-key": ("error", lambda found: _replace(found, "events", "/id")),
    "ttl-off": ("error", lambda found: _replace(found, "leases", "/id")),
    "ttl-deletes": ("error", lambda found: _replace(found, "events", "/streamId", default_ttl=60)),
    "index-costs": (
        "warning",
        lambda found: _replace(found, "events", "/streamId", indexing_policy=_index("/*")),
    ),
    "index-missing": (
        "warning",
        lambda found: _replace(found, "deadletters", "/module", indexing_policy=_index("/a/?")),
    ),
    "prefix-taken": ("error", _taken),
}


@pytest.mark.parametrize("code", ACCOUNTS)
async def test_what_is_wrong_with_the_account_is_found(
    tmp_path: Path,
    values: dict[str, str],
    host: dict[str, Any],
    database: DatabaseProxy,
    code: str,
) -> None:
    """Each fault by itself, and how bad it is."""
    level, plant = ACCOUNTS[code]
    await plant(database)

    assert (await examine(tmp_path, values, host)).get(code) == level


@pytest.mark.parametrize(
    ("status", "code"), [(401, "key-refused"), (403, "role-missing"), (503, "container-unreadable")]
)
def test_what_the_account_refuses_is_told_apart(status: int, code: str) -> None:
    """The embedded Cosmos DB has no roles, so the answer of one that has is made up."""
    found = _unreadable("events", "projections", ConfigurationError("refused", status=status))

    assert (found.code, found.level) == (code, "error")


async def test_a_wrong_clock_is_found(values: dict[str, str], database: DatabaseProxy) -> None:
    """By the time that the service tells."""
    account = check_account(
        Settings.from_environ(values), ["followship"], lambda: time.time() + 120
    )

    assert [each.code async for each in account] == ["clock-skew"]


async def test_settings_of_a_deployment_are_read_as_azure_prints_them(
    tmp_path: Path, values: dict[str, str], host: dict[str, Any], database: DatabaseProxy
) -> None:
    """`az functionapp config appsettings list` prints a list of names and values."""
    fetch_all = [
        {"name": name, "value": value, "slotSetting": False} for name, value in values.items()
    ]
    path = tmp_path / "settings.json"
    path.write_text(json.dumps(fetch_all), encoding="utf-8")

    assert await _examine(path, EXAMPLE / "host.json") == []


@pytest.mark.parametrize(("file", "code"), [("broken.json", 1), ("settings.json", 1)])
def test_the_exit_code_tells_programs(tmp_path: Path, file: str, code: int) -> None:
    """And standard output is one JSON object."""
    (tmp_path / "broken.json").write_text("{", encoding="utf-8")
    (tmp_path / "settings.json").write_text('{"Values": {}}', encoding="utf-8")

    done = run_in(EXAMPLE, "admin", "doctor", "--json", "--settings", str(tmp_path / file))

    assert done.returncode == code
    assert json.loads(done.stdout)["findings"][0]["level"] == "error"
