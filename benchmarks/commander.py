"""Sends commands through hosts in this process; run as a file, over the engine of any commit.

Its argument is JSON: the connection, the number of commands and hosts, and what they are like.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from typing import Any
from uuid import UUID, uuid4

from azure.core.pipeline.transport import AioHttpTransport

from core.application import Application
from examples.followship import projections

_IN_FLIGHT = 50


class Charges:
    """The request units of all responses."""

    def __init__(self) -> None:
        self.sum = 0.0

    def count(self) -> None:
        """Count from now on."""
        plain = AioHttpTransport.send

        async def send(transport: Any, request: Any, **options: Any) -> Any:  # noqa: ANN401 - the SDK's
            response = await plain(transport, request, **options)
            self.sum += float(response.headers.get("x-ms-request-charge", 0))
            return response

        AioHttpTransport.send = send


async def _run(options: dict[str, Any]) -> dict[str, float]:
    environ = {**os.environ, "CosmosConnection": options["connection"]}
    hosts = [Application.discover(projections, environ) for _ in range(options["hosts"])]
    user = uuid4()
    for host in hosts:
        await _follow(host, uuid4(), None)
    charges = Charges()
    charges.count()
    numbers = iter(range(options["commands"]))

    async def work() -> None:
        for number in numbers:
            follower = user if options["hot"] else uuid4()
            key = f"{number}" if options["keyed"] else None
            await _follow(hosts[number % len(hosts)], follower, key)

    started = time.perf_counter()
    await asyncio.gather(*(work() for _ in range(_IN_FLIGHT)))
    seconds = time.perf_counter() - started
    for host in hosts:
        await host.close()
    return {"seconds": seconds, "request_units": charges.sum}


async def _follow(host: Application, follower: UUID, key: str | None) -> None:
    body = json.dumps({"user_id": str(follower), "to_follow": str(uuid4())}).encode()
    await host.execute("follow", body, idempotency_key=key)


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asyncio.run(_run(json.loads(sys.argv[1])))))
