"""The command `python -m local run`, which runs the Functions app with an embedded Cosmos DB."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import threading
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlsplit

import typer
from azure.core.exceptions import AzureError
from rich.console import Console

from core.cosmos.client import open_client
from core.cosmos.provisioning import provision
from core.errors import ConfigurationError, CosmosError, DeadlineExceededError, EngineError
from core.settings import CONNECTION_SETTING, Settings
from local.activity import configure_logging
from local.cosmos import WELL_KNOWN_KEY, CosmosOptions, EmbeddedCosmos
from local.host import FunctionsHost, HostError, HostOptions
from local.host.host import export_settings
from local.host.settings import load_settings
from local.runfile import shared_settings
from local.signals import wait_for_shutdown

if TYPE_CHECKING:
    from collections.abc import Coroutine, Mapping

logger = logging.getLogger(__name__)

_RETRY_DELAY_SECONDS = 1.0
_STOP_TIMEOUT_SECONDS = 9.5
_RETRYABLE_ERRORS = (
    *(CosmosError, DeadlineExceededError, AzureError),
    *(
        ValueError,
        LookupError,
        AttributeError,
        TypeError,
    ),  # the SDK raises these for an invalid response
)


def run(  # noqa: PLR0917 - one parameter for each option
    port: Annotated[int, typer.Option(help="Port of the HTTP functions.")] = 7071,
    cosmos_port: Annotated[int, typer.Option(help="Port of the embedded Cosmos DB.")] = 8081,
    partitions: Annotated[
        int, typer.Option(min=1, max=64, help="Physical partitions of each container.")
    ] = 4,
    throughput: Annotated[
        int | None, typer.Option(min=1, help="RU/s of each container; unlimited by default.")
    ] = None,
    data: Annotated[
        Path | None, typer.Option(help="Folder for the data; in memory by default.")
    ] = None,
    replica_lag: Annotated[
        int,
        typer.Option(min=0, help="Milliseconds by which reads without a session token lag behind."),
    ] = 0,
    endpoint: Annotated[
        str | None,
        typer.Option(help="URL of a Cosmos DB account to use instead of the embedded one."),
    ] = None,
    key: Annotated[
        str, typer.Option(help="Key for --endpoint; the emulator's key by default.")
    ] = WELL_KNOWN_KEY,
    function_key: Annotated[
        str, typer.Option(help="Key that the HTTP functions require.")
    ] = "local",
    app: Annotated[Path, typer.Option(help="Folder with function_app.py.")] = Path(),
    lease_expiration: Annotated[
        float, typer.Option(min=1, help="Seconds after which the leases of a killed host expire.")
    ] = 12.0,
    quiet: Annotated[  # noqa: FBT002 - a flag
        bool, typer.Option("--quiet", help="No output about commands, batches and leases.")
    ] = False,
) -> None:
    """Run the app: its triggers on the change feed, and its HTTP functions on --port.

    Without --endpoint and a setting CosmosConnection for another account, start an embedded
    Cosmos DB on --cosmos-port. On Ctrl-C, stop after batches in flight. On SIGUSR1, stop the host
    without waiting for running functions, as Azure does at every deployment.
    """
    configure_logging(None if quiet else Console(highlight=False))
    try:
        settings = load_settings(app, os.environ)
        if endpoint is not None:
            settings[CONNECTION_SETTING] = f"AccountEndpoint={endpoint};AccountKey={key};"
        cosmos = CosmosOptions(
            port=cosmos_port,
            partitions=partitions,
            throughput=throughput,
            data=data,
            replica_lag=replica_lag / 1000,
        )
        host = HostOptions(
            folder=app, port=port, function_key=function_key, lease_expiration=lease_expiration
        )
        embedded = endpoint is None and _uses_embedded(settings, cosmos_port)
        asyncio.run(_run(settings, cosmos if embedded else None, host))
    except (EngineError, HostError, OSError) as error:
        typer.echo(f"Cannot run the app: {error}", err=True)
        raise typer.Exit(1) from None


def _uses_embedded(settings: Mapping[str, str], port: int) -> bool:
    """Return whether the settings name no account, or the address of the embedded one."""
    if not settings.get(CONNECTION_SETTING) and not settings.get(
        f"{CONNECTION_SETTING}__accountEndpoint"
    ):
        return True
    address = urlsplit(Settings.from_environ(settings).require_connection().endpoint)
    return address.hostname in {"127.0.0.1", "localhost"} and address.port == port


async def _run(
    settings: dict[str, str], cosmos: CosmosOptions | None, options: HostOptions
) -> None:
    shutdown = asyncio.create_task(wait_for_shutdown(signal.SIGUSR1))
    async with AsyncExitStack() as stack:
        if cosmos is not None:
            server = await stack.enter_async_context(EmbeddedCosmos(cosmos))
            settings[CONNECTION_SETTING] = server.connection_string
            typer.echo(f"Embedded Cosmos DB ready on {server.endpoint}")
        if await _completes_before_signal(shutdown, _provision(Settings.from_environ(settings))):
            await _serve(stack, settings, options, shutdown)
    # As in Azure, the app does not close its connections; asyncio would report that at exit.
    asyncio.get_running_loop().set_exception_handler(lambda *_: None)
    typer.echo("Stopped.")


async def _serve(
    stack: AsyncExitStack,
    settings: Mapping[str, str],
    options: HostOptions,
    shutdown: asyncio.Task[signal.Signals],
) -> None:
    """Run the host until a signal is received."""
    export_settings(settings)
    host = await stack.enter_async_context(FunctionsHost(options, settings))
    path = stack.enter_context(shared_settings(options.folder, _engine_settings(settings)))
    typer.echo(f"Functions ready on {host.url}/api (x-functions-key: {options.function_key})")
    typer.echo(f"Settings for python -m admin in {path}")
    await _completes_before_signal(shutdown, host.wait())
    if shutdown.result() == signal.SIGUSR1:
        shutdown = asyncio.create_task(wait_for_shutdown())
        if await _completes_before_signal(shutdown, host.cut_off()):
            return
    # Exit like the Python worker of Azure, even if a thread or task does not end.
    timer = threading.Timer(_STOP_TIMEOUT_SECONDS, os._exit, (0,))
    timer.daemon = True
    timer.start()


async def _provision(settings: Settings) -> None:
    """Create missing containers; retry while the database is not available."""
    while True:
        try:
            async with open_client(settings.require_connection()) as client:
                await provision(client, settings)
        except ConfigurationError:
            raise
        except _RETRYABLE_ERRORS as error:
            logger.warning(
                "cosmos.provisioning_failed error_type=%s error=%s", type(error).__name__, error
            )
            await asyncio.sleep(_RETRY_DELAY_SECONDS)
        else:
            return


def _engine_settings(settings: Mapping[str, str]) -> dict[str, str]:
    """Return the settings that the engine uses."""
    names = {str(field.alias) for field in Settings.model_fields.values()}
    return {name: settings[name] for name in sorted(names & settings.keys())}


async def _completes_before_signal(
    shutdown: asyncio.Task[signal.Signals], work: Coroutine[Any, Any, None]
) -> bool:
    """Return whether the work completes; cancel it if a signal is received before."""
    task = asyncio.create_task(work)
    await asyncio.wait({task, shutdown}, return_when=asyncio.FIRST_COMPLETED)
    if task.done():
        task.result()
        return True
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return False
