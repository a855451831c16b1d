"""Processes that are started, waited for until they are ready, and stopped cleanly."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import aiohttp

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

CLOCK_FILE = "CLOCK_FILE"
"""The environment variable that names the file of a process whose clock is wrong."""

_READY_TIMEOUT_SECONDS = 60.0
_STOP_TIMEOUT_SECONDS = 20.0
_POLL_SECONDS = 0.05
_MAX_TAIL_CHARACTERS = 2_000


class ProcessError(Exception):
    """A process did not start, or ended unexpectedly; the message ends with the end of its log."""


@dataclass(kw_only=True)
class Process:
    """A `python -m local ...` process and its log.

    Attributes:
        name: The name in messages.
        arguments: The arguments after `python -m local`.
        clock: The file with the seconds by which its clock is wrong, None if its clock is right.
        readiness_url: A URL that responds once the process is ready.
        log: The file for its output.
        environ: Environment variables in addition to those of this process.
        starts: The number of times that it was started.
        lock: The lock to hold while it is started or stopped.
    """

    name: str
    arguments: Sequence[str]
    readiness_url: str
    log: Path
    clock: Path | None = None
    environ: Mapping[str, str] = field(default_factory=dict)
    starts: int = 0
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    _process: asyncio.subprocess.Process | None = None
    _cut_off: list[asyncio.subprocess.Process] = field(default_factory=list)

    async def start(self) -> None:
        """Start the process and wait until it is ready.

        Raises:
            ProcessError: If it ends instead, or is not ready within a minute.
        """
        self.starts += 1
        module = "local" if self.clock is None else "local.harness.skewed"
        clock = {} if self.clock is None else {CLOCK_FILE: str(self.clock)}
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", module, *self.arguments),
                env={**os.environ, **self.environ, **clock},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C reaches this process alone, which then stops it
            )
        try:
            await asyncio.wait_for(self._wait_until_ready(), _READY_TIMEOUT_SECONDS)
        except asyncio.TimeoutError:
            raise ProcessError(
                f"{self.name} was not ready within {_READY_TIMEOUT_SECONDS:.0f} s. "
                f"{self.log_tail()}"
            ) from None

    @property
    def is_running(self) -> bool:
        """Whether the process was started and has not ended."""
        return self._process is not None and self._process.returncode is None

    @property
    def peak_memory(self) -> int:
        """The peak of its resident memory in bytes; 0 if it does not run."""
        if not self.is_running or self._process is None:
            return 0
        return peak_memory(self._process.pid)

    @property
    def cpu_seconds(self) -> float:
        """The processor time since its last start; 0 if it does not run."""
        if not self.is_running or self._process is None:
            return 0.0
        return cpu_seconds(self._process.pid)

    def step_clock(self, seconds: float) -> None:
        """Make its clock wrong by the given seconds, now and after the next starts."""
        if self.clock is None:
            raise RuntimeError(f"{self.name} has the clock of this machine.")
        self.clock.write_text(str(seconds), encoding="ascii")
        if self.is_running and self._process is not None:
            self._process.send_signal(signal.SIGUSR2)

    async def cut_off(self) -> None:
        """Send SIGUSR1, at which a host closes, and ends once its calls have ended.

        Returns as soon as another process can take its place.
        """
        process, self._process = self._process, None
        if process is None or process.returncode is not None:
            return
        process.send_signal(signal.SIGUSR1)
        self._cut_off.append(process)
        async with aiohttp.ClientSession() as session:
            while await _responds(session, self.readiness_url):  # noqa: ASYNC110 - a process sets no event
                await asyncio.sleep(_POLL_SECONDS)

    async def kill(self) -> None:
        """Send SIGKILL, and wait for the end."""
        await self._end(signal.SIGKILL)

    async def stop(self) -> None:
        """Send SIGTERM, and SIGKILL if that takes too long; do nothing if it does not run."""
        try:
            await asyncio.wait_for(self._end(signal.SIGTERM), _STOP_TIMEOUT_SECONDS)
        except asyncio.TimeoutError:
            await self.kill()

    async def kill_cut_off(self) -> None:
        """Send SIGKILL to processes that were cut off and still run."""
        for process in self._cut_off:
            if process.returncode is None:
                process.kill()
                await process.wait()

    def log_tail(self) -> str:
        """Return a sentence with the end of its log."""
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        tail = text[-_MAX_TAIL_CHARACTERS:]
        return f"Its log ends with:\n{tail}" if tail else "Its log is empty."

    async def _end(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(number)
            await self._process.wait()

    async def _wait_until_ready(self) -> None:
        async with aiohttp.ClientSession() as session:
            while not await _responds(session, self.readiness_url):
                if not self.is_running:
                    raise ProcessError(f"{self.name} ended during startup. {self.log_tail()}")
                await asyncio.sleep(_POLL_SECONDS)


async def _responds(session: aiohttp.ClientSession, url: str) -> bool:
    try:
        async with session.get(url) as response:
            return response.status < 500  # noqa: PLR2004 - HTTP: it runs, even if it rejects this
    except aiohttp.ClientError:
        return False


def peak_memory(pid: int) -> int:
    """Return the peak of a process's resident memory in bytes; 0 if the system has no /proc."""
    try:
        with open(f"/proc/{pid}/status", encoding="ascii") as status:  # noqa: PTH123 - not a path
            lines = [line for line in status if line.startswith("VmHWM:")]
    except OSError:
        return 0
    return int(lines[0].split()[1]) * 1024 if lines else 0


def cpu_seconds(pid: int) -> float:
    """Return the processor time of a process in seconds; 0 if the system has no /proc."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as stat:  # noqa: PTH123 - not a path
            fields = stat.read().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def free_port() -> int:
    """Return a TCP port of this machine on which nothing listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
