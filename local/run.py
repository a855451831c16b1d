"""`python -m local run`: the Functions app on your machine, with an embedded Cosmos DB beneath."""

from __future__ import annotations

import asyncio
import logging
import os
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

import typer

from core.cosmos.client import open_client
from core.cosmos.provisioning import provision
from core.errors import EngineError
from core.settings import CONNECTION_SETTING, Settings
from local.cosmos import WELL_KNOWN_KEY, EmbeddedCosmos, Options
from local.host import HostError, HostOptions, TriggerHost
from local.host.host import publish
from local.host.settings import load_settings
from local.signals import until_stopped

if TYPE_CHECKING:
    from collections.abc import Mapping


def run(  # noqa: PLR0917 - one parameter for each option
    port: Annotated[int, typer.Option(help="Port of the functions.")] = 7071,
    cosmos_port: Annotated[int, typer.Option(help="Port of the embedded Cosmos DB.")] = 8081,
    partitions: Annotated[int, typer.Option(min=1, max=64, help="Physical partitions.")] = 4,
    throughput: Annotated[
        int | None, typer.Option(min=1, help="RU/s of each container; unlimited if not given.")
    ] = None,
    data: Annotated[Path | None, typer.Option(help="Keep the data in this folder.")] = None,
    replica_lag: Annotated[
        int, typer.Option(min=0, help="Milliseconds by which reads without a session token lag.")
    ] = 0,
    endpoint: Annotated[
        str | None, typer.Option(help="Use this Cosmos DB instead of the embedded one.")
    ] = None,
    key: Annotated[
        str, typer.Option(help="Key for --endpoint; the emulator's if not given.")
    ] = WELL_KNOWN_KEY,
    function_key: Annotated[str, typer.Option(help="Key that the functions ask for.")] = "local",
    app: Annotated[Path, typer.Option(help="Folder of function_app.py.")] = Path(),
    lease_expiration: Annotated[
        float, typer.Option(min=1, help="Seconds until a killed host's leases are taken over.")
    ] = 12.0,
) -> None:
    """Run the functions: triggers on the change feed, HTTP on --port.

    Without --endpoint, and unless a setting CosmosConnection names another account, an embedded
    Cosmos DB is started on --cosmos-port. Ctrl-C stops everything cleanly.
    """
    try:
        settings = load_settings(app, os.environ)
        if endpoint is not None:
            settings[CONNECTION_SETTING] = f"AccountEndpoint={endpoint};AccountKey={key};"
        cosmos = Options(
            port=cosmos_port,
            partitions=partitions,
            throughput=throughput,
            data=data,
            replica_lag=replica_lag / 1000,
        )
        host = HostOptions(
            folder=app, port=port, function_key=function_key, lease_expiration=lease_expiration
        )
        embedded = endpoint is None and _is_embedded(settings, cosmos_port)
        asyncio.run(_run(settings, cosmos if embedded else None, host))
    except (EngineError, HostError, OSError) as error:
        typer.echo(f"The functions cannot run: {error}", err=True)
        raise typer.Exit(1) from None


def _is_embedded(settings: Mapping[str, str], port: int) -> bool:
    """Whether the settings leave the account open, or name the embedded one's own address."""
    if not settings.get(CONNECTION_SETTING) and not settings.get(
        f"{CONNECTION_SETTING}__accountEndpoint"
    ):
        return True
    address = urlsplit(Settings.from_environ(settings).require_connection().endpoint)
    return address.hostname in {"127.0.0.1", "localhost"} and address.port == port


async def _run(settings: dict[str, str], cosmos: Options | None, options: HostOptions) -> None:
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("azure").setLevel(logging.ERROR)  # our own lines say the same in context
    async with AsyncExitStack() as stack:
        if cosmos is not None:
            server = await stack.enter_async_context(EmbeddedCosmos(cosmos))
            settings[CONNECTION_SETTING] = server.connection_string
            typer.echo(f"Embedded Cosmos DB ready on {server.endpoint}")
        await _provision(Settings.from_environ(settings))
        publish(settings)
        host = await stack.enter_async_context(TriggerHost(options, settings))
        typer.echo(f"Functions ready on {host.url}/api (x-functions-key: {options.function_key})")
        await _until_stopped(host)
    typer.echo("Stopped.")


async def _provision(settings: Settings) -> None:
    async with open_client(settings.require_connection()) as client:
        await provision(client, settings)


async def _until_stopped(host: TriggerHost) -> None:
    """Return when asked to stop; raise when a trigger cannot go on."""
    tasks = [asyncio.create_task(until_stopped()), asyncio.create_task(host.wait())]
    done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in pending:
        task.cancel()
    for task in done:
        task.result()
