"""An embedded Cosmos DB in a process of its own, with the application's containers."""

from __future__ import annotations

import tempfile
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from core.cosmos.client import open_client
from core.cosmos.provisioning import provision
from core.settings import Settings
from local.cosmos import WELL_KNOWN_KEY
from local.stage.processes import Process, free_port
from local.stage.stage import Setup

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from azure.cosmos.aio import DatabaseProxy


@asynccontextmanager
async def account(partitions: int = 4) -> AsyncIterator[tuple[dict[str, str], DatabaseProxy]]:
    """Settings of the application, and its database; all of it is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        port = free_port()
        endpoint = f"http://127.0.0.1:{port}/"
        process = Process(
            name="The embedded Cosmos DB",
            arguments=("cosmos", "--port", str(port), "--partitions", str(partitions)),
            probe=f"{endpoint}_local/statistics",
            log=Path(folder) / "cosmos.log",
        )
        environ = {"CosmosConnection": f"AccountEndpoint={endpoint};AccountKey={WELL_KNOWN_KEY};"}
        settings = Settings.from_environ(environ)
        try:
            await process.start()
            async with open_client(settings.require_connection()) as client:
                await provision(client, settings)
                yield environ, client.get_database_client(settings.database)
        finally:
            await process.stop()


def unthrottled(folder: str, app: Path, **environ: str) -> Setup:
    """A stage whose Cosmos DB takes whatever comes, and one host with this app."""
    return Setup(partitions=4, throughput=10_000_000, folder=Path(folder), app=app, environ=environ)
