"""Commands and settings that documents and workflows name are there."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from admin.__main__ import app as admin
from core.settings import CONNECTION_SETTING, Settings
from local.__main__ import app as local
from local.cosmos import WELL_KNOWN_KEY, Options

ROOT = Path(__file__).parent.parent
EXAMPLE = ROOT / "local.settings.json.example"
PAGE = ROOT / "docs" / "running-locally.md"
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]

PROGRAMS = {"local": local, "admin": admin}
OF_THE_HOST = {"AzureWebJobsStorage", "FUNCTIONS_WORKER_RUNTIME"}
"""Settings that the Functions host reads, and the app does not."""


def blocks(path: Path, language: str) -> list[str]:
    """The fenced blocks of a language."""
    text = path.read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def scripts(path: Path) -> Iterator[str]:
    """What a document shows to be typed, or a workflow runs."""
    if path.suffix == ".md":
        yield from blocks(path, "sh")
        yield from re.findall(r"`((?:\S*/)?python -m [^`]+)`", path.read_text(encoding="utf-8"))
        return
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    for job in content["jobs"].values():
        yield from (step["run"] for step in job["steps"] if "run" in step)
        for row in job.get("strategy", {}).get("matrix", {}).get("include", []):
            yield from (value for value in row.values() if isinstance(value, str))


def commands(path: Path) -> Iterator[list[str]]:
    """The words after `python -m` of each command, as far as they are for the program."""
    for script in scripts(path):
        for line in script.replace("\\\n", " ").splitlines():
            match = re.search(r"python -m ((?:local|admin)\b[^;&|>#']*)", line)
            if match is not None:
                yield shlex.split(match[1])


def wrong(words: list[str]) -> list[str]:
    """The words that the program does not know."""
    program, *rest = words
    command: Any = typer.main.get_command(PROGRAMS[program])
    while rest and hasattr(command, "commands"):
        name, *rest = rest
        if name not in command.commands:
            return [name]
        command = command.commands[name]
    known = {name for each in command.params for name in each.opts} | {"--help"}
    return [word for word in rest if word.startswith("--") and word.split("=")[0] not in known]


@pytest.mark.parametrize("path", [*DOCUMENTS, *WORKFLOWS], ids=lambda path: path.name)
def test_commands_exist(path: Path) -> None:
    """With each of the options that are shown."""
    assert [(words, wrong(words)) for words in commands(path) if wrong(words)] == []


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("local cosmos --port 0", []),
        ("local cosmos --ports 0", ["--ports"]),
        ("local cosmo", ["cosmo"]),
        ("admin deadletters show ID", []),
        ("admin deadletters shows ID", ["shows"]),
        ("admin status --json --watch", []),
    ],
)
def test_wrong_commands_are_found(line: str, expected: list[str]) -> None:
    """So that the test above can fail."""
    assert wrong(line.split()) == expected


def test_commands_of_the_page_are_found() -> None:
    """In its blocks, in text, and in workflows over several lines."""
    found = {tuple(words[:2]) for words in commands(PAGE)}

    assert {("local", "cosmos"), ("admin", "init"), ("local", "conformance")} <= found
    assert ["local", "cosmos", "--partitions", "4"] in list(commands(WORKFLOWS[-1]))


def example() -> dict[str, str]:
    values: dict[str, str] = json.loads(EXAMPLE.read_text(encoding="utf-8"))["Values"]
    return values


def test_the_page_shows_the_example() -> None:
    """Exactly, so that either may be copied."""
    (shown,) = blocks(PAGE, "json")

    assert shown == EXAMPLE.read_text(encoding="utf-8")


def test_the_example_is_for_the_embedded_cosmos_db() -> None:
    """As `python -m local cosmos` starts it; its other values are the defaults."""
    values = example()
    settings, defaults = Settings.from_environ(values), Settings()
    connection = settings.require_connection()

    assert connection.endpoint == f"http://{Options().host}:{Options().port}/"
    assert connection.key is not None
    assert connection.key.get_secret_value() == WELL_KNOWN_KEY
    given = {name: field for name, field in Settings.model_fields.items() if field.alias in values}
    assert {field.alias for field in given.values()} | OF_THE_HOST == set(values)
    for name in given.keys() - {"connection_string"}:
        assert getattr(settings, name) == getattr(defaults, name)


def test_the_example_has_the_storage_and_the_language_of_the_host() -> None:
    """Azurite, and Python."""
    values = example()

    assert values["AzureWebJobsStorage"] == "UseDevelopmentStorage=true"
    assert values["FUNCTIONS_WORKER_RUNTIME"] == "python"


def test_the_setting_for_emulators_checks_no_certificate() -> None:
    """For the app; and over https, with the emulators' key."""
    (line,) = blocks(PAGE, "ini")
    name, _, value = line.strip().partition("=")
    connection = Settings.from_environ({name: value}).require_connection()

    assert name == CONNECTION_SETTING
    assert connection.endpoint == "https://localhost:8081/"
    assert connection.key is not None
    assert connection.key.get_secret_value() == WELL_KNOWN_KEY
    assert not connection.verify_certificate


def test_workflows_set_what_the_app_reads() -> None:
    """In the environment of the job that runs Core Tools."""
    path = ROOT / ".github" / "workflows" / "emulators.yml"
    job = yaml.safe_load(path.read_text(encoding="utf-8"))["jobs"]["func-start"]
    environ = job["env"]
    (bulk,) = {row["bulk"] for row in job["strategy"]["matrix"]["include"]} - {"on"}
    endpoints = [row["endpoint"] for row in job["strategy"]["matrix"]["include"]]

    assert set(environ) <= {field.alias for field in Settings.model_fields.values()}
    for endpoint in endpoints:
        text = environ[CONNECTION_SETTING].replace("${{ matrix.endpoint }}", endpoint)
        connection = Settings.from_environ(
            {CONNECTION_SETTING: text, "COSMOS_BULK": bulk}
        ).require_connection()
        assert connection.endpoint == endpoint
        assert not connection.verify_certificate
