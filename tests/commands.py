"""The commands, run as processes of their own."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import HTTPError

from tests.support import attempts

ROOT = Path(__file__).parents[1]
EXAMPLE = ROOT / "examples" / "followship"
RUN = ("local", "run", "--app", str(EXAMPLE))


def environment(**settings: str) -> dict[str, str]:
    return {**os.environ, **settings}


def run(*arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    return run_in(ROOT, *arguments, **settings)


def run_in(folder: Path, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - our own commands
        [sys.executable, "-m", *arguments],
        cwd=folder,
        env=environment(PYTHONPATH=str(ROOT), **settings),
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


@contextmanager
def running(*arguments: str, probe: str, **settings: str) -> Iterator[subprocess.Popen[str]]:
    """A command that goes on until it is stopped, once it answers."""
    process = subprocess.Popen(  # noqa: S603 - our own commands
        [sys.executable, "-m", *arguments],
        cwd=ROOT,
        env=environment(**settings),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        for _ in attempts(30):
            if answers(probe):
                break
            assert process.poll() is None, process.communicate()[0]
            time.sleep(0.05)
        yield process
    finally:
        process.kill()
        process.communicate()


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5):  # noqa: S310 - our own server
            return True
    except HTTPError:
        return True
    except OSError:
        return False
