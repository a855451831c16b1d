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
from local.harness.cluster import ClusterOptions
from local.harness.processes import Process, free_port

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
            readiness_url=f"{endpoint}_local/statistics",
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


def unthrottled(folder: str, app: Path, **environ: str) -> ClusterOptions:
    """Return the options of one host with this application, over an account without a limit."""
    return ClusterOptions(
        partitions=4, throughput=10_000_000, folder=Path(folder), app=app, environ=environ
    )
