"""`python -m local run`: the Functions app on your machine, with an embedded Cosmos DB beneath."""

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
from local.activity import set_up_logging
from local.cosmos import WELL_KNOWN_KEY, EmbeddedCosmos, Options
from local.host import HostError, HostOptions, TriggerHost
from local.host.host import publish
from local.host.settings import load_settings
from local.runfile import shared_settings
from local.signals import wait_for_shutdown

if TYPE_CHECKING:
    from collections.abc import Coroutine, Mapping

logger = logging.getLogger(__name__)

_RETRY_SECONDS = 1.0
_STOP_SECONDS = 9.5
_UNUSABLE = (
    *(CosmosError, DeadlineExceededError, AzureError),
    *(ValueError, LookupError, AttributeError, TypeError),  # the SDK's, of an unusable answer
)


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
    quiet: Annotated[  # noqa: FBT002 - a flag
        bool, typer.Option("--quiet", help="Say nothing of commands, batches and leases.")
    ] = False,
) -> None:
    """Run the functions: triggers on the change feed, HTTP on --port.

    Without --endpoint, and unless a setting CosmosConnection names another account, an embedded
    Cosmos DB is started on --cosmos-port. Ctrl-C stops everything cleanly. SIGUSR1 cuts the host
    off from the functions that run, as Azure does at every deployment.
    """
    set_up_logging(None if quiet else Console(highlight=False))
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
    stopped = asyncio.create_task(wait_for_shutdown(signal.SIGUSR1))
    async with AsyncExitStack() as stack:
        if cosmos is not None:
            server = await stack.enter_async_context(EmbeddedCosmos(cosmos))
            settings[CONNECTION_SETTING] = server.connection_string
            typer.echo(f"Embedded Cosmos DB ready on {server.endpoint}")
        if await _ends_before(stopped, _provision(Settings.from_environ(settings))):
            await _serve(stack, settings, options, stopped)
    # What the app itself opened ends with the process, as in Azure; no need to tell of it.
    asyncio.get_running_loop().set_exception_handler(lambda *_: None)
    typer.echo("Stopped.")


async def _serve(
    stack: AsyncExitStack,
    settings: Mapping[str, str],
    options: HostOptions,
    stopped: asyncio.Task[signal.Signals],
) -> None:
    """Run the host until a signal ends it."""
    publish(settings)
    host = await stack.enter_async_context(TriggerHost(options, settings))
    path = stack.enter_context(shared_settings(options.folder, _for_admin(settings)))
    typer.echo(f"Functions ready on {host.url}/api (x-functions-key: {options.function_key})")
    typer.echo(f"Settings for python -m admin in {path}")
    await _ends_before(stopped, host.wait())
    if stopped.result() == signal.SIGUSR1:
        stopped = asyncio.create_task(wait_for_shutdown())
        if await _ends_before(stopped, host.cut_off()):
            return
    # As Azure ends the Python worker, with whatever does not end by itself.
    timer = threading.Timer(_STOP_SECONDS, os._exit, (0,))
    timer.daemon = True
    timer.start()


async def _provision(settings: Settings) -> None:
    """Create what is missing; a database that cannot be used yet is waited for."""
    while True:
        try:
            async with open_client(settings.require_connection()) as client:
                await provision(client, settings)
        except ConfigurationError:
            raise
        except _UNUSABLE as error:
            logger.warning("cosmos.waiting %s: %s", type(error).__name__, error)
            await asyncio.sleep(_RETRY_SECONDS)
        else:
            return


def _for_admin(settings: Mapping[str, str]) -> dict[str, str]:
    """Return the settings that the engine reads."""
    names = {str(field.alias) for field in Settings.model_fields.values()}
    return {name: settings[name] for name in sorted(names & settings.keys())}


async def _ends_before(
    stopped: asyncio.Task[signal.Signals], work: Coroutine[Any, Any, None]
) -> bool:
    """Return whether the work ends before a signal comes, which cancels it."""
    task = asyncio.create_task(work)
    await asyncio.wait({task, stopped}, return_when=asyncio.FIRST_COMPLETED)
    if task.done():
        task.result()
        return True
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return False
