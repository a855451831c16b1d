"""The deployment package, built and installed as the platform does it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import venv
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

from admin import package as packaging
from local.cosmos import CosmosOptions, EmbeddedCosmos, run_in_thread
from local.harness.follows import POLBLOGS, read_follows
from tests.commands import EXAMPLE, ROOT

PYTHONS = ("3.10", "3.11", "3.12", "3.13")

DECLARED = """
import json, function_app
print(json.dumps(sorted(each.get_function_name() for each in function_app.app.get_functions())))
"""

PLAYED = """
import asyncio, json, os, sys
import function_app
from core.cosmos.client import open_client
from core.cosmos.provisioning import provision

async def main():
    application = function_app.application
    async with open_client(application.settings.require_connection()) as client:
        await provision(client, application.settings)
        for line in sys.stdin:
            a, b = line.split()
            body = json.dumps({"user_id": a, "to_follow": b}).encode()
            await application.execute("follow", body, idempotency_key=f"{a}:{b}")
        events = client.get_database_client("projections").get_container_client("events")
        documents = [each async for each in events.query_items("SELECT * FROM c")]
        outcome = await application.project("followship", documents)
        stored = [each async for each in events.query_items("SELECT * FROM c")]
    await application.close()
    followers = sum(each["type"] == "WasFollowed" for each in stored)
    print(json.dumps([outcome.derived, followers, "local" in sys.modules]))

asyncio.run(main())
"""


def run(python: Path, code: str, folder: Path, words: str = "", **environ: str) -> str:
    done = subprocess.run(  # noqa: S603 - our own code
        [str(python), "-c", code],
        cwd=folder,
        env={**os.environ, **environ},
        input=words,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def install(python: Path, folder: Path) -> None:
    subprocess.run(  # noqa: S603 - a fixed command
        [str(python), "-m", "pip", "install", "--quiet", "-r", "requirements.txt"],
        cwd=folder,
        check=True,
        capture_output=True,
    )


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package's files, in a folder of their own."""
    folder = tmp_path_factory.mktemp("package")
    archive = folder / "package.zip"
    subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-m", "admin", "package", "--output", str(archive)], cwd=ROOT, check=True
    )
    with zipfile.ZipFile(archive) as contents:
        contents.extractall(folder / "app")
    return folder / "app"


@pytest.fixture(scope="module")
def python(package: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with what the package asks for, and nothing else."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=True)
    install(folder / "bin" / "python", package)
    return folder / "bin" / "python"


@pytest.fixture
def example(package: Path, tmp_path: Path) -> Path:
    """The package's files with the example in place of the application."""
    folder = tmp_path / "example"
    shutil.copytree(package, folder, ignore=shutil.ignore_patterns("projections"))
    shutil.copytree(EXAMPLE, folder, dirs_exist_ok=True)
    return folder


@pytest.fixture
def embedded() -> Iterator[EmbeddedCosmos]:
    with run_in_thread(CosmosOptions(port=0)) as server:
        yield server


def test_the_package_holds_what_runs_and_nothing_else(package: Path) -> None:
    """No tools, no tests, no documents."""
    assert {path.name for path in package.iterdir()} == {
        *("core", "projections", "function_app.py", "host.json", "requirements.txt"),
    }
    assert not list(package.rglob("*.pyc"))


def test_all_requirements_are_pinned_by_hash(package: Path) -> None:
    """So that what is installed is what was tried."""
    lines = (package / "requirements.txt").read_text(encoding="utf-8").splitlines()
    pinned = [nth for nth, line in enumerate(lines) if line and line[0] not in " #"]

    assert len(pinned) > 20
    for nth in pinned:
        assert "==" in lines[nth]
        assert "--hash=sha256:" in lines[nth + 1]


@pytest.mark.timeout(240)
def test_the_package_declares_the_functions_of_the_working_tree(
    package: Path, python: Path
) -> None:
    """Installed from the lock file."""
    report = json.loads(run(python, DECLARED, package))

    assert "health" in report
    assert report == json.loads(run(Path(sys.executable), DECLARED, ROOT))


@pytest.mark.timeout(240)
def test_the_package_projects(example: Path, python: Path, embedded: EmbeddedCosmos) -> None:
    """Follows of the demo's graph, with the example as the application."""
    follows = {follow for follow in read_follows(POLBLOGS, 300) if not follow.is_self_follow}
    words = "".join(f"{follow.follower} {follow.followed}\n" for follow in follows)
    connection = embedded.connection_string

    told = run(python, PLAYED, example, words, CosmosConnection=connection)

    assert json.loads(told) == [len(follows), len(follows), False]


@pytest.mark.timeout(240)
@pytest.mark.parametrize("version", PYTHONS)
def test_the_lock_file_installs_on_every_python(
    package: Path, tmp_path: Path, version: str
) -> None:
    """That is here."""
    executable = interpreter(version)
    if executable is None:
        pytest.skip(f"Python {version} is not here")
    python = tmp_path / "venv" / "bin" / "python"
    lock = ("--require-hashes", "-r", str(package / "requirements.txt"))

    made = uv("venv", "--python", executable, str(tmp_path / "venv"))
    installed = uv("pip", "install", "--python", str(python), *lock)

    assert (made.returncode, installed.returncode) == (0, 0), made.stderr + installed.stderr
    assert "health" in run(python, DECLARED, package)


def interpreter(version: str) -> str | None:
    """A Python of this version that runs."""
    managed = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    candidates = [
        *map(str, managed.glob(f"{version}.*/bin/python")),
        shutil.which(f"python{version}"),
    ]
    for candidate in filter(None, candidates):
        done = subprocess.run([candidate, "--version"], capture_output=True, check=False)  # noqa: S603 - a fixed command
        if done.returncode == 0:
            return candidate
    return None


def uv(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - a fixed command
        [sys.executable, "-m", "uv", "--no-python-downloads", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("content", [None, "", "{", "[]"])
def test_a_folder_without_a_host_file_is_one_line(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    content: str | None,
) -> None:
    """It is not that of an application, or its file is damaged."""
    monkeypatch.chdir(tmp_path)
    if content is not None:
        (tmp_path / "host.json").write_text(content, encoding="utf-8")

    with pytest.raises(typer.Exit) as caught:
        packaging.package(tmp_path / "package.zip")

    assert caught.value.exit_code == 1
    assert capsys.readouterr().err == (
        "host.json does not exist or is not a JSON object. "
        "Run this command in the application's folder.\n"
    )
    assert not (tmp_path / "package.zip").exists()


def test_a_host_that_rewrites_dates_is_not_packaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The package would work, but read every event before it is projected."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "host.json").write_text('{"version": "2.0"}', encoding="utf-8")

    with pytest.raises(typer.Exit):
        packaging.package(tmp_path / "package.zip")

    assert not (tmp_path / "package.zip").exists()
