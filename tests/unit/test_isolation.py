"""Unit tests are kept from what takes long, and from what other tests could disturb."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable

import pytest


def listen() -> None:
    with socket.socket() as opened:
        opened.bind(("127.0.0.1", 0))


async def connect() -> None:
    await asyncio.open_connection("127.0.0.1", 9)


ATTEMPTS: dict[str, Callable[[], object]] = {
    "listen": listen,
    "resolve": lambda: socket.getaddrinfo("localhost", 80),
    "request": lambda: urllib.request.urlopen("http://127.0.0.1:9/"),
    "connection": lambda: asyncio.run(connect()),
    "command": lambda: subprocess.run([sys.executable, "--version"], check=False),
    "shell": lambda: os.system("true"),  # noqa: S605, S607 - it fails
    "fork": os.fork,
}


@pytest.mark.parametrize("attempt", ATTEMPTS.values(), ids=ATTEMPTS)
def test_sockets_and_processes_are_rejected(attempt: Callable[[], object]) -> None:
    """Whoever asks for them: the interpreter reports it."""
    with pytest.raises(pytest.fail.Exception, match="must not raise"):
        attempt()


def test_an_event_loop_is_allowed() -> None:
    """Its pair of connected sockets leads nowhere."""
    assert asyncio.run(asyncio.sleep(0, result=1)) == 1
