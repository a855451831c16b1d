"""Queries by Microsoft's JavaScript SDK, in a process that answers them line by line."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from local.cosmos import WELL_KNOWN_KEY
from tests.integration.cosmos.agreement.questions import Question

_DRIVER = Path(__file__).with_name("queries.mjs")
_PACKAGE = Path(__file__).parents[4] / "benchmarks" / "javascript"
_LOCK = "package-lock.json"


def install(config: pytest.Config) -> Path:
    """Return a folder with the driver and, as the lock file says, the SDK."""
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        pytest.skip("node and npm are not installed")
    cache: pytest.Cache = config.cache
    folder = cache.mkdir("javascript-sdk")
    shutil.copy(_DRIVER, folder)
    lock = (_PACKAGE / _LOCK).read_bytes()
    installed = folder / "node_modules" / "installed.json"
    if not installed.exists() or installed.read_bytes() != lock:
        for name in ("package.json", _LOCK):
            shutil.copy(_PACKAGE / name, folder)
        command = [npm, "ci", "--silent", "--no-audit", "--no-fund"]
        subprocess.run(command, cwd=folder, check=True)  # noqa: S603 - a fixed command
        installed.write_bytes(lock)
    return folder


class JavaScript:
    """The driver's process."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def run(self, container: str, question: Question, *, resume: bool = False) -> list[Any]:
        """Return the results.

        Args:
            container: The name of the container.
            question: The query.
            resume: Whether each page is asked for with the last one's continuation token alone.
        """
        options: dict[str, Any] = {"maxItemCount": question.page_size, "resume": resume}
        if question.key is not None:
            options["partitionKey"] = question.key
        line = json.dumps({"container": container, **question.body, **options})
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        assert "error" not in answer, answer["error"]
        results: list[Any] = answer["results"]
        return results


@contextmanager
def running(folder: Path, endpoint: str) -> Iterator[JavaScript]:
    """Run the driver while the block runs."""
    command = [shutil.which("node") or "node", _DRIVER.name, endpoint, WELL_KNOWN_KEY]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=folder, stdin=pipe, stdout=pipe, text=True) as process:  # noqa: S603 - a fixed command
        yield JavaScript(process)
        assert process.stdin
        process.stdin.close()
