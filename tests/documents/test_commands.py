"""Commands and settings that documents and workflows name are there."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from admin.__main__ import app as admin
from benchmarks.__main__ import app as benchmarks
from core.settings import CONNECTION_SETTING, Settings
from local.__main__ import app as local
from local.cosmos import WELL_KNOWN_KEY, CosmosOptions
from tests.documents.pages import DOCUMENTS, ROOT, blocks, inline, name_of

EXAMPLE = ROOT / "local.settings.json.example"
PAGE = ROOT / "docs" / "running-locally.md"
CONTRIBUTING = ROOT / "CONTRIBUTING.md"
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
OTHERS = [
    ROOT / ".ci" / "run",
    ROOT / ".devcontainer" / "devcontainer.json",
    ROOT / ".pre-commit-config.yaml",
    ROOT / "azure.yaml",
]
"""What runs commands as well."""

PROGRAMS = {"local": local, "admin": admin, "benchmarks": benchmarks}
TARGETS = {"demo": "local demo", "bench": "benchmarks"}
"""Targets of make that hand their ARGS to a program."""

OF_THE_HOST = {"AzureWebJobsStorage", "FUNCTIONS_WORKER_RUNTIME"}
"""Settings that the Functions host reads, and the app does not."""


def scripts(path: Path) -> Iterator[str]:
    """What a document shows to be typed, or a workflow runs."""
    if path.suffix == ".md":
        for language in ("sh", "console"):
            yield from blocks(path, language)
        yield from inline(path)
    elif path in WORKFLOWS:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        for job in content["jobs"].values():
            yield from (step["run"] for step in job["steps"] if "run" in step)
            for row in job.get("strategy", {}).get("matrix", {}).get("include", []):
                yield from (value for value in row.values() if isinstance(value, str))
    else:
        yield path.read_text(encoding="utf-8")


def lines(path: Path) -> Iterator[str]:
    for script in scripts(path):
        yield from script.replace("\\\n", " ").splitlines()


def commands(path: Path) -> Iterator[list[str]]:
    """The words after `python -m` of each command, as far as they are for the program."""
    for line in lines(path):
        for match in re.finditer(rf"python -m ((?:{'|'.join(PROGRAMS)})\b[^;&|>#']*)", line):
            yield shlex.split(match[1])
        for match in re.finditer(r'make (\w+) ARGS="([^"]*)"', line):
            if match[1] in TARGETS:
                yield shlex.split(f"{TARGETS[match[1]]} {match[2]}")


def targets(path: Path) -> set[str]:
    """The targets of make that a document or workflow names."""
    pattern = re.compile(r"(?:^|[\s`'\"])make ([a-z][a-z-]*)")
    return {match for line in lines(path) for match in pattern.findall(line)}


def wrong(words: list[str]) -> list[str]:
    """The words that the program does not know."""
    program, *rest = words
    command: Any = typer.main.get_command(PROGRAMS[program])
    while rest and hasattr(command, "commands") and not rest[0].startswith("-"):
        name, *rest = rest
        if name not in command.commands:
            return [name]
        command = command.commands[name]
    known = {name for parameter in command.params for name in parameter.opts} | {"--help"}
    return [word for word in rest if word.startswith("--") and word.split("=")[0] not in known]


@pytest.mark.parametrize("path", [*DOCUMENTS, *WORKFLOWS, *OTHERS], ids=name_of)
def test_commands_exist(path: Path) -> None:
    """With each of the options that are shown."""
    assert [(words, wrong(words)) for words in commands(path) if wrong(words)] == []


@pytest.mark.parametrize("path", [*DOCUMENTS, *WORKFLOWS, *OTHERS], ids=name_of)
def test_targets_of_make_exist(path: Path) -> None:
    """Each of those that are shown or run."""
    text = (ROOT / "Makefile").read_text(encoding="utf-8")

    assert targets(path) <= set(re.findall(r"^([a-z-]+):", text, re.MULTILINE))


def test_every_target_of_make_is_explained() -> None:
    """By make help; those with which code is changed in CONTRIBUTING.md as well."""
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    phony = re.search(r"^\.PHONY: (.*)$", text, re.MULTILINE)
    assert phony is not None

    help_text = subprocess.run(
        ["make", "help"],  # noqa: S607 - found on the path, as by everybody
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout

    assert set(re.findall(r"make ([a-z-]+)", help_text)) == set(phony[1].split())
    assert {"venv", "test", "test-fast", "check", "format", "docs"} <= targets(CONTRIBUTING)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("local cosmos --port 0", []),
        ("benchmarks writing --graph FILE", []),
        ("benchmarks --graphs FILE", ["--graphs"]),
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
    shown = {tuple(words[:2]) for words in commands(PAGE)}

    assert {("local", "cosmos"), ("admin", "init"), ("local", "conformance")} <= shown
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

    assert connection.endpoint == f"http://{CosmosOptions().host}:{CosmosOptions().port}/"
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
            {CONNECTION_SETTING: text, "BulkWritesEnabled": bulk}
        ).require_connection()
        assert connection.endpoint == endpoint
        assert not connection.verify_certificate
