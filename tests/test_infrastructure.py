"""What Azure is told in `infra/`, compared with what the app reads; the compiler is not here."""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import azure.functions as func
import pytest
import yaml

from core.application import Application
from core.cosmos.containers import container_definitions
from core.functions.triggers import register_triggers
from core.settings import CONNECTION_SETTING, Settings
from tests.apps import follows
from tests.copies import copy_repository

ROOT = Path(__file__).parent.parent
INFRA = ROOT / "infra"
CHECKER = ROOT.parent / "shared" / "tools" / "bicep" / "bicep_check.py"

NOT_IN_ITS_DATA = {"Microsoft.OperationalInsights/workspaces@2023-09-01"}
"""Types that the checker has no description of, so that it can only say that."""

OF_THE_HOST = {
    *("AzureWebJobsStorage__blobServiceUri", "AzureWebJobsStorage__credential"),
    *("AzureWebJobsStorage__clientId", f"{CONNECTION_SETTING}__credential"),
}
"""Settings that the host and its extensions read, and the app does not."""


def text(name: str) -> str:
    return (INFRA / name).read_text(encoding="utf-8")


def app_settings() -> dict[str, str]:
    """Settings of the function app, with the Bicep expressions that give their values."""
    pattern = re.compile(r"name: '(\w+)',?\s+value: (.+?)(?: \})?$", re.MULTILINE)
    return dict(pattern.findall(text("app.bicep")))


def aliases() -> set[str]:
    return {str(field.alias) for field in Settings.model_fields.values()}


@pytest.mark.skipif(not CHECKER.exists(), reason="the checker of Bicep files is not here")
@pytest.mark.parametrize("file", sorted(INFRA.glob("*.bicep")), ids=lambda path: path.name)
def test_bicep_files_have_no_findings(file: Path) -> None:
    """Syntax, types, properties and symbols; not the compiler's word."""
    assert importlib.util.find_spec("tree_sitter_bicep"), "install requirements-dev.txt"
    done = subprocess.run(  # noqa: S603 - a fixed command
        [sys.executable, str(CHECKER), str(file)],
        capture_output=True,
        text=True,
        check=False,
    )
    findings = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]

    assert [
        line for line in findings if not any(f"unknown-type: {t}" in line for t in NOT_IN_ITS_DATA)
    ] == []


def test_every_setting_of_the_function_app_is_read() -> None:
    """By the app or by the host."""
    assert len(app_settings()) == 12
    assert set(app_settings()) - OF_THE_HOST <= aliases()


def test_the_app_can_connect_with_what_it_is_given() -> None:
    """By its identity, and with no key; the bindings use the same names."""
    given = {name: f"<{value}>" for name, value in app_settings().items()}
    settings = Settings.from_environ(given)
    connection = settings.require_connection()

    assert connection.key is None
    assert connection.endpoint == "<cosmosEndpoint>"
    assert connection.client_id == "<identityClientId>"
    assert settings.telemetry_enabled
    for part in ("accountEndpoint", "credential", "clientId"):
        assert f"{CONNECTION_SETTING}__{part}" in given


def test_bindings_name_containers_that_are_deployed() -> None:
    """By settings that are set, with the values that the containers are created with."""
    given = {name: value.strip("'") for name, value in app_settings().items()}
    app = func.FunctionApp()
    application = Application.discover(follows, given)
    register_triggers(app, application, given)
    defined = {definition["name"] for definition in definitions()}

    for function in app.get_functions():
        binding: dict[str, Any] = function.get_bindings_dict()["bindings"][0]
        for key in ("containerName", "leaseContainerName"):
            assert given[binding[key].strip("%")] in defined
        assert binding["databaseName"] == "%CosmosDatabase%"
        assert binding["connection"] == CONNECTION_SETTING
        assert binding["createLeaseContainerIfNotExists"] is False


def definitions() -> list[dict[str, Any]]:
    resources: list[dict[str, Any]] = json.loads(
        (ROOT / "core" / "cosmos" / "containers.json").read_text(encoding="utf-8")
    )
    return resources


def test_containers_have_one_source() -> None:
    """Bicep reads the file that the app and the embedded Cosmos DB read."""
    assert "loadJsonContent('../core/cosmos/containers.json')" in text("cosmos.bicep")
    names = {definition.name for definition in container_definitions(Settings())}
    assert {definition["name"] for definition in definitions()} == names
    for setting in ("EventsContainer", "LeasesContainer", "DeadLettersContainer"):
        assert app_settings()[setting].strip("'") in {
            definition["name"] for definition in definitions()
        }
    assert f"var databaseName = '{Settings().database}'" in text("cosmos.bicep")


def test_events_can_be_added_and_not_deleted() -> None:
    """The app's identity has no right to, so no error of ours can; an upsert is what it needs."""
    roles = json.loads(text("roles.json"))
    assert "var roles = loadJsonContent('roles.json')" in text("cosmos.bicep")
    for symbol in ("appender", "editor"):
        assert f"dataActions: roles.{symbol} }}" in text("cosmos.bicep")
    more = set(roles["editor"]) - set(roles["appender"])
    assert {action.rpartition("/")[2] for action in more} == {"delete", "replace"}
    assert set(roles["appender"]) < set(roles["editor"])
    assert ".name == 'events'\n        ? account::appender.id\n" in text("cosmos.bicep")


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("cosmos.bicep", "disableLocalAuth: true"),
        ("storage.bicep", "allowSharedKeyAccess: false"),
        ("storage.bicep", "minimumTlsVersion: 'TLS1_2'"),
        ("monitoring.bicep", "DisableLocalAuth: true"),
        ("app.bicep", "httpsOnly: true"),
    ],
)
def test_there_are_no_keys(file: str, line: str) -> None:
    """Everybody is who they are."""
    assert line in text(file)
    for path in INFRA.glob("*.bicep"):
        assert "listKeys" not in path.read_text(encoding="utf-8")


def test_parameters_are_those_of_the_main_file() -> None:
    """Each of them, and no other; each can be set by `azd env set`."""
    declared = set(re.findall(r"^param (\w+)", text("main.bicep"), re.MULTILINE))
    given = json.loads(text("main.parameters.json"))["parameters"]

    assert set(given) == declared
    assert all(parameter["value"].startswith("${") for parameter in given.values())


def test_every_parameter_of_a_module_reaches_it() -> None:
    """And is used there."""
    modules = re.findall(
        r"module (\w+) '(\w+\.bicep)' = .*?params: \{(.*?)\n  \}",
        text("main.bicep") + text("resources.bicep"),
        re.DOTALL,
    )

    assert len(modules) == 6
    for module, file, body in modules:
        declared = set(re.findall(r"^param (\w+)", text(file), re.MULTILINE))
        assert set(re.findall(r"^    (\w+):", body, re.MULTILINE)) == declared, module


def test_outputs_are_names_that_the_tools_read() -> None:
    """`azd env get-values` then gives what `python -m admin` needs."""
    outputs = set(re.findall(r"^output (\w+)", text("main.bicep"), re.MULTILINE))

    assert {f"{CONNECTION_SETTING}__accountEndpoint", "CosmosDatabase"} <= outputs & aliases()


def workflow(name: str) -> dict[str, Any]:
    path = ROOT / ".github" / "workflows" / name
    workflow: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return workflow


def test_every_supported_python_is_tested() -> None:
    """The versions that the infrastructure offers, and no other."""
    offered = re.search(r"@allowed\(\[([^\]]*)\]\)\nparam pythonVersion", text("main.bicep"))
    assert offered is not None

    tested = workflow("check.yml")["jobs"]["test"]["strategy"]["matrix"]["python"]

    assert tested == re.findall(r"'([\d.]+)'", offered[1])


def test_workflows_have_no_secrets_and_few_rights() -> None:
    """Deploying is by federated identity."""
    for path in (ROOT / ".github" / "workflows").glob("*.yml"):
        assert "secrets." not in path.read_text(encoding="utf-8"), path
        assert workflow(path.name)["permissions"]["contents"] == "read", path
    assert workflow("deploy.yml")["permissions"]["id-token"] == "write"


def test_the_service_that_azd_deploys_is_the_app() -> None:
    """The tag of the app is the service's name."""
    (name,) = yaml.safe_load((ROOT / "azure.yaml").read_text(encoding="utf-8"))["services"]

    assert f"'azd-service-name': '{name}'" in text("app.bicep")


def test_azd_deploys_the_pinned_package(tmp_path: Path) -> None:
    """Its hook writes the folder that it packs, with the lock file as the requirements."""
    (service,) = yaml.safe_load((ROOT / "azure.yaml").read_text(encoding="utf-8"))[
        "services"
    ].values()
    copy = copy_repository(tmp_path)
    hook = service["hooks"]["prepackage"]
    stale = copy / service["dist"] / "removed.py"
    stale.parent.mkdir(parents=True)
    stale.touch()

    subprocess.run([hook["shell"], "-c", hook["run"]], cwd=copy, check=True)  # noqa: S603 - our own hook

    deployed = copy / service["project"] / service["dist"]
    lock = (ROOT / "requirements.lock").read_bytes()
    assert (deployed / "requirements.txt").read_bytes() == lock
    assert (deployed / "host.json").exists()
    assert not stale.exists()
