"""The command `python -m local cosmos`."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path  # noqa: TC003 - typer reads the annotations
from typing import Annotated

import typer

from local.cosmos.server import WELL_KNOWN_KEY, CosmosOptions, EmbeddedCosmos
from local.signals import wait_for_shutdown


def cosmos(  # noqa: PLR0917 - one parameter for each option
    port: Annotated[int, typer.Option(help="Port to listen on, 0 for a free one.")] = 8081,
    partitions: Annotated[
        int,
        typer.Option(min=1, max=64, help="Number of physical partitions of each new container."),
    ] = 1,
    throughput: Annotated[
        int | None,
        typer.Option(min=1, help="RU/s of each container without its own. Unlimited by default."),
    ] = None,
    data: Annotated[
        Path | None, typer.Option(help="Folder that stores the data. In memory by default.")
    ] = None,
    key: Annotated[str, typer.Option(help="Account key in Base64.")] = WELL_KNOWN_KEY,
    replica_lag: Annotated[
        int, typer.Option(min=0, help="Milliseconds by which reads without a session token lag.")
    ] = 0,
    *,
    multiple_write_locations: Annotated[
        bool,
        typer.Option(
            "--multiple-write-locations", help="Report that the account has several write regions."
        ),
    ] = False,
) -> None:
    """Run the embedded Cosmos DB until Ctrl-C or SIGTERM."""
    options = CosmosOptions(
        port=port,
        partitions=partitions,
        throughput=throughput,
        data=data,
        key=key,
        replica_lag=replica_lag / 1000,
        multiple_write_locations=multiple_write_locations,
    )
    try:
        asyncio.run(_serve(options))
    except OSError as error:
        _fail(f"The embedded Cosmos DB cannot start on port {port}: {error}")
    except ValueError:
        _fail("The embedded Cosmos DB cannot start: the account key must be Base64 (--key).")


async def _serve(options: CosmosOptions) -> None:
    async with EmbeddedCosmos(options) as server:
        typer.echo(f"Embedded Cosmos DB ready on {server.endpoint}")
        if options.key == WELL_KNOWN_KEY:
            typer.echo(f"CosmosConnection={server.connection_string}")
        if server.problem is not None:
            with suppress(OSError):  # stderr may be a file on the full disk
                typer.echo(server.problem, err=True)
        await wait_for_shutdown()
    typer.echo("Stopped.")


def _fail(message: str) -> None:
    typer.echo(message, err=True)
    raise typer.Exit(1)
