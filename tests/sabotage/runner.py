"""Runs tests against copies of the repository that hold a fault."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Literal

from tests.copies import copy_repository

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from tests.sabotage.mutation import Mutation

Outcome = Literal["noticed", "survived", "does not apply", "cannot run"]

_TIMEOUT_SECONDS = 540
_PASSED, _FAILED = 0, 1
_FAILED_TEST = re.compile(r"^(?:FAILED|ERROR) (tests/.+?)(?: - .*)?$", re.MULTILINE)
_OUTPUT_CHARACTERS = 3_000


class BrokenTestsError(Exception):
    """The tests fail without any fault, so that their failures show nothing."""


@dataclass(frozen=True, kw_only=True)
class Result:
    """What became of a mutation.

    Attributes:
        mutation: The mutation.
        outcome: Whether its tests failed.
        seconds: The duration of the tests.
        detail: The test that failed, or the end of the output if none did.
    """

    mutation: Mutation
    outcome: Outcome
    seconds: float = 0.0
    detail: str = ""

    @property
    def is_noticed(self) -> bool:
        """Whether a test failed."""
        return self.outcome == "noticed"


def check_tests(mutations: Iterable[Mutation]) -> None:
    """Run the tests of the mutations once without a fault.

    Raises:
        BrokenTestsError: If they do not pass.
    """
    tests = sorted({test for mutation in mutations for test in mutation.tests})
    with TemporaryDirectory() as folder:
        status, output = _run_tests(copy_repository(Path(folder)), tests)
    if status != _PASSED:
        raise BrokenTestsError(output)


def run_all(mutations: Sequence[Mutation], *, jobs: int) -> Iterator[Result]:
    """Yield the result of each mutation, in order."""
    with ThreadPoolExecutor(jobs) as pool:
        yield from pool.map(run, mutations)


def run(mutation: Mutation) -> Result:
    """Return whether the tests of a mutation fail in a copy that has it."""
    with TemporaryDirectory() as folder:
        copy = copy_repository(Path(folder))
        if not mutation.applies(copy):
            return Result(mutation=mutation, outcome="does not apply")
        mutation.apply(copy)
        started = time.monotonic()
        status, output = _run_tests(copy, mutation.tests)
    outcomes: dict[int, Outcome] = {_PASSED: "survived", _FAILED: "noticed"}
    failed = _FAILED_TEST.search(output)
    return Result(
        mutation=mutation,
        outcome=outcomes.get(status, "cannot run"),
        seconds=time.monotonic() - started,
        detail=failed[1] if failed and status == _FAILED else output[-_OUTPUT_CHARACTERS:],
    )


def _run_tests(root: Path, tests: Sequence[str]) -> tuple[int, str]:
    """Return the exit code of pytest and its output; 1 is the code of failed tests alone."""
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *tests]
    # Compiled files are told apart by seconds, and a copy may be changed within one.
    environ = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        done = subprocess.run(  # noqa: S603 - tests of this repository
            command,
            cwd=root,
            env=environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_TIMEOUT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return _FAILED, f"The tests did not end within {_TIMEOUT_SECONDS} s."
    return done.returncode, done.stdout
