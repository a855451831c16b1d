"""Ways of writing the same documents: ours, and what people would use instead."""

from __future__ import annotations

import asyncio
import base64
import json
import shutil
import subprocess
import tempfile
import time
from collections import deque
from contextlib import aclosing
from dataclasses import dataclass
from email.utils import formatdate
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import aiohttp

from core.cosmos.partitions import PartitionMap
from core.cosmos.requests import Requests
from core.throttling.deadline import Deadline
from core.throttling.rate_limiters import RateLimiters
from core.throttling.retrier import Retrier
from core.throttling.stats import RequestStats
from core.writing.writer import BulkMode, Writer
from core.writing.writes import Rejected
from local.cosmos import WELL_KNOWN_KEY
from local.cosmos.auth import signature

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from azure.cosmos.aio import ContainerProxy

    from benchmarks.targets import Target
    from core.writing.writes import Write

JAVASCRIPT = Path(__file__).parent / "javascript"
_HOUR = 3_600.0
_AT_ONCE = 16
"""Requests that the plain client has on their way: as many as ours, over four partitions."""

_SIGNED = ("authorization", "x-ms-date", "x-ms-cosmos-intended-collection-rid")


@dataclass(frozen=True)
class Spent:
    """Seconds on the clock and of the writing process's processor."""

    seconds: float
    processor: float


async def ours(target: Target, writes: Sequence[Write]) -> Spent:
    """The engine's writer."""
    return await _timed(write(target.container, writes, bulk=True))


async def ours_by_stream(target: Target, writes: Sequence[Write]) -> Spent:
    """The engine's writer with BulkWritesEnabled=off."""
    return await _timed(write(target.container, writes, bulk=False))


async def one_by_one(target: Target, writes: Sequence[Write]) -> Spent:
    """`upsert_item`, each awaited before the next."""
    documents = [json.loads(write.body) for write in writes]

    async def work() -> None:
        for document in documents:
            await target.plain.upsert_item(document)

    return await _timed(work())


async def gathered(target: Target, writes: Sequence[Write]) -> Spent:
    """`upsert_item`, 50 at once."""
    waiting = iter([json.loads(write.body) for write in writes])

    async def work() -> None:
        for document in waiting:
            await target.plain.upsert_item(document)

    async def all_of_it() -> None:
        await asyncio.gather(*(work() for _ in range(50)))

    return await _timed(all_of_it())


async def javascript(target: Target, writes: Sequence[Write]) -> Spent:
    """`executeBulkOperations` of the JavaScript SDK, in Node.js."""
    with tempfile.NamedTemporaryFile("wb", suffix=".json") as file:
        file.write(b"[%b]" % b",".join(write.body for write in writes))
        file.flush()
        arguments = (target.endpoint, WELL_KNOWN_KEY, target.database, target.name, file.name)
        done = await _printed("node", "bulk.mjs", *arguments, folder=JAVASCRIPT)
    return Spent(**json.loads(done))


async def wire(target: Target, writes: Sequence[Write]) -> Spent:
    """Plain aiohttp posting the requests that ours sends, serialised before the clock starts."""
    return await _posted(target, writes, _AT_ONCE)


async def wire_in_order(target: Target, writes: Sequence[Write]) -> Spent:
    """The same, each awaited before the next, as the order of one stream demands."""
    return await _posted(target, writes, 1)


async def _posted(target: Target, writes: Sequence[Write], at_once: int) -> Spent:
    recording = _Recording(target.spare)
    await write(recording, writes, bulk=True)
    path = f"dbs/{target.database}/colls/{target.name}/docs"
    waiting = deque((_signed(path, headers), body) for headers, body in recording.requests)
    url = f"{target.endpoint}{path}"

    async def work(session: aiohttp.ClientSession) -> None:
        while waiting:
            headers, body = waiting.popleft()
            async with session.post(url, headers=headers, data=body) as response:
                response.raise_for_status()
                await response.json(content_type=None)

    async def all_of_it() -> None:
        async with aiohttp.ClientSession() as session:
            await asyncio.gather(*(work(session) for _ in range(at_once)))

    return await _timed(all_of_it())


PEERS: dict[str, Callable[[Target, Sequence[Write]], Awaitable[Spent]]] = {
    "ours": ours,
    "ours, BulkWritesEnabled=off": ours_by_stream,
    "upsert_item one by one": one_by_one,
    "upsert_item, gather of 50": gathered,
    "JavaScript bulk": javascript,
    "plain aiohttp (the wire)": wire,
    "plain aiohttp, one at a time": wire_in_order,
}


async def _printed(*command: str, folder: Path) -> str:
    """What a command prints; it is killed when nobody waits for it any more.

    Raises:
        RuntimeError: It failed.
    """
    pipe = subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, cwd=folder, stdout=pipe, stderr=pipe)
    try:
        out, err = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        raise RuntimeError(f"{command[0]} failed: {err.decode()}")
    return out.decode()


def install_javascript() -> None:
    """The JavaScript SDK, for comparison only."""
    if not (JAVASCRIPT / "node_modules").exists():
        subprocess.run(  # noqa: S603 - a fixed command
            [shutil.which("npm") or "npm", "ci", "--silent", "--no-audit"],
            cwd=JAVASCRIPT,
            check=True,
        )


class _Recording:
    """Our requests, kept as they go out."""

    def __init__(self, container: ContainerProxy) -> None:
        self._container = container
        self.requests: list[tuple[dict[str, str], bytes]] = []

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the container has
        return getattr(self._container, name)

    async def execute_item_batch(self, *arguments: Any, **options: Any) -> Any:  # noqa: ANN401 - as above
        hook = options.pop("raw_request_hook")

        def keep(request: Any) -> None:  # noqa: ANN401 - azure-core's
            hook(request)
            sent = request.http_request
            self.requests.append((dict(sent.headers), sent.data))

        return await self._container.execute_item_batch(
            *arguments, raw_request_hook=keep, **options
        )


async def write(container: Any, writes: Sequence[Write], *, bulk: bool = True) -> RequestStats:  # noqa: ANN401 - may be a recording
    """By the engine's writer; what it took."""
    limiters, retrier = RateLimiters(), Retrier()
    writer = Writer(
        container=container,
        partitions=PartitionMap(container, Requests(limiters=limiters, retrier=retrier)),
        limiters=limiters,
        retrier=retrier,
        bulk=BulkMode(enabled=bulk),
    )
    stats = RequestStats()
    async with aclosing(writer.write(writes, Deadline.after(_HOUR), stats)) as results:
        async for result in results:
            if isinstance(result, Rejected):
                raise result.error
    return stats


def _signed(path: str, headers: dict[str, str]) -> dict[str, str]:
    date = formatdate(usegmt=True)
    sign = signature(base64.b64decode(WELL_KNOWN_KEY), "POST", f"/{path}", date)
    kept = {name: header for name, header in headers.items() if name.lower() not in _SIGNED}
    return {
        **kept,
        "x-ms-date": date,
        "authorization": quote(f"type=master&ver=1.0&sig={sign}", safe=""),
    }


async def _timed(work: Awaitable[object]) -> Spent:
    begun, processor = time.perf_counter(), time.process_time()
    await work
    return Spent(time.perf_counter() - begun, time.process_time() - processor)
