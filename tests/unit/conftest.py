"""Keeps unit tests fast: they open no connection and start no process."""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterator

import pytest

FORBIDDEN = frozenset(
    {
        *("socket.bind", "socket.connect", "socket.sendto", "socket.sendmsg"),
        *("socket.getaddrinfo", "socket.gethostbyname", "subprocess.Popen"),
        *("os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn", "os.system"),
    }
)
"""Audit events of the interpreter: they are raised whichever library is used."""

_running: list[str] = []


def _audit(event: str, _: object) -> None:
    if _running and event in FORBIDDEN:
        pytest.fail(f"A unit test must not raise {event}: move {_running[0]} to tests/integration.")


sys.addaudithook(_audit)
platform.processor()  # starts `uname` once, when the SDK asks for it; remembered from then on


@pytest.fixture(autouse=True)
def _neither_sockets_nor_processes(request: pytest.FixtureRequest) -> Iterator[None]:
    _running.append(request.node.nodeid)
    yield
    _running.clear()
