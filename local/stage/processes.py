"""Processes: each started for real, waited for until ready, and stopped cleanly."""

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

_READY_SECONDS = 60.0
_STOP_SECONDS = 20.0
_TAIL = 2_000


class ProcessError(Exception):
    """A process did not start, or stopped by itself; ends with the end of its log."""


@dataclass(kw_only=True)
class Process:
    """One `python -m local ...` and its log.

    Attributes:
        name: For messages.
        arguments: After `python -m local`.
        probe: URL that answers once it is ready.
        log: File that takes its output.
        environ: Environment variables on top of ours.
        starts: How often it was started.
        changing: Held by whoever starts or ends it.
    """

    name: str
    arguments: Sequence[str]
    probe: str
    log: Path
    environ: Mapping[str, str] = field(default_factory=dict)
    starts: int = 0
    changing: asyncio.Lock = field(default_factory=asyncio.Lock)
    _process: asyncio.subprocess.Process | None = None
    _leaving: list[asyncio.subprocess.Process] = field(default_factory=list)

    async def start(self) -> None:
        """Start and wait until it answers.

        Raises:
            ProcessError: It ended instead, or did not answer within a minute.
        """
        self.starts += 1
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "local", *self.arguments),
                env={**os.environ, **self.environ},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for us, who stop it ourselves
            )
        try:
            await asyncio.wait_for(self._until_ready(), _READY_SECONDS)
        except asyncio.TimeoutError:
            raise ProcessError(f"{self.name} was not ready in time. {self.tail()}") from None

    @property
    def running(self) -> bool:
        """Whether it was started and has not ended."""
        return self._process is not None and self._process.returncode is None

    @property
    def peak(self) -> int:
        """Bytes of resident memory at its highest, 0 where it does not run."""
        if not self.running or self._process is None:
            return 0
        return peak_memory(self._process.pid)

    @property
    def cpu_seconds(self) -> float:
        """Processor time since it was started last, 0 where it does not run."""
        if not self.running or self._process is None:
            return 0.0
        return cpu_seconds(self._process.pid)

    async def cut_off(self) -> None:
        """Send SIGUSR1: a host leaves at once, and ends by itself once its calls have ended.

        Returns when another one can take its place.
        """
        process, self._process = self._process, None
        if process is None or process.returncode is not None:
            return
        process.send_signal(signal.SIGUSR1)
        self._leaving.append(process)
        async with aiohttp.ClientSession() as session:
            while await _answers(session, self.probe):  # noqa: ASYNC110 - a process sets no event
                await asyncio.sleep(0.05)

    async def kill(self) -> None:
        """SIGKILL: no chance to put anything in order."""
        await self._end(signal.SIGKILL)

    async def stop(self) -> None:
        """SIGTERM, and wait; SIGKILL if it takes too long. Harmless when it is not running."""
        try:
            await asyncio.wait_for(self._end(signal.SIGTERM), _STOP_SECONDS)
        except asyncio.TimeoutError:
            await self.kill()

    async def end_leaving(self) -> None:
        """SIGKILL what was cut off and has not ended by itself."""
        for process in self._leaving:
            if process.returncode is None:
                process.kill()
                await process.wait()

    def tail(self) -> str:
        """The end of its log."""
        text = self.log.read_text(errors="replace")[-_TAIL:] if self.log.exists() else ""
        return f"Its log ends with:\n{text}" if text else "It logged nothing."

    async def _end(self, how: signal.Signals) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(how)
            await self._process.wait()

    async def _until_ready(self) -> None:
        async with aiohttp.ClientSession() as session:
            while not await _answers(session, self.probe):
                if not self.running:
                    raise ProcessError(f"{self.name} ended while starting. {self.tail()}")
                await asyncio.sleep(0.05)


async def _answers(session: aiohttp.ClientSession, url: str) -> bool:
    try:
        async with session.get(url) as response:
            return response.status < 500  # noqa: PLR2004 - HTTP: it answers, if only with "no"
    except aiohttp.ClientError:
        return False


def peak_memory(pid: int) -> int:
    """Bytes of resident memory of a process at its highest, 0 where the system does not tell."""
    try:
        with open(f"/proc/{pid}/status", encoding="ascii") as status:  # noqa: PTH123 - no path
            lines = [line for line in status if line.startswith("VmHWM:")]
    except OSError:
        return 0
    return int(lines[0].split()[1]) * 1024 if lines else 0


def cpu_seconds(pid: int) -> float:
    """Seconds of processor time that a process has taken, 0 where the system does not tell."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as stat:  # noqa: PTH123 - no path
            fields = stat.read().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def free_port() -> int:
    """A TCP port of this machine that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
