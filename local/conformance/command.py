"""`python -m local conformance`."""

from __future__ import annotations

import asyncio
import json
import logging
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Annotated

import typer
from azure.core.exceptions import AzureError
from rich.console import Console

from local.conformance.beliefs import CHECKS
from local.conformance.report import show
from local.conformance.runner import run
from local.conformance.workspace import Target, WorkspaceError, opened_workspace
from local.cosmos import WELL_KNOWN_KEY, EmbeddedCosmos, Options
from local.signals import cancel_on_signals
from local.stage.progress import Progress

if TYPE_CHECKING:
    from local.conformance.checks import Finding

_PARTITIONS = 4
_INTERRUPTED = 130


def conformance(
    endpoint: Annotated[
        str | None, typer.Option(help="URL of the account; the embedded Cosmos DB if not given.")
    ] = None,
    key: Annotated[
        str, typer.Option(help="Key of the account.", envvar="COSMOS_KEY", show_default=False)
    ] = WELL_KNOWN_KEY,
    as_json: Annotated[  # noqa: FBT002 - a flag
        bool, typer.Option("--json", help="One JSON array.")
    ] = False,
) -> None:
    """Check every belief about Cosmos DB that the engine rests on.

    Works in a database that it creates and removes; no other database is touched. Exits with 1 if
    the account contradicts a belief.
    """
    logging.basicConfig(level=logging.CRITICAL)  # the findings say what the SDK warns of
    console = Console(stderr=as_json)
    try:
        findings = asyncio.run(_check(endpoint, key, console))
    except (AzureError, WorkspaceError) as error:
        typer.echo(f"The beliefs cannot be checked: {error}", err=True)
        raise typer.Exit(1) from None
    except asyncio.CancelledError:
        typer.echo("Stopped; the database of the checks is removed.", err=True)
        raise typer.Exit(_INTERRUPTED) from None
    if as_json:
        typer.echo(json.dumps([finding.to_dict() for finding in findings], indent=2))
    else:
        show(findings, console)
    if any(finding.ok is False for finding in findings):
        raise typer.Exit(1)


async def _check(endpoint: str | None, key: str, console: Console) -> list[Finding]:
    cancel_on_signals()
    async with AsyncExitStack() as stack:
        if endpoint is None:
            options = Options(port=0, partitions=_PARTITIONS, key=key)
            endpoint = (await stack.enter_async_context(EmbeddedCosmos(options))).endpoint
        workspace = await stack.enter_async_context(
            opened_workspace(Target(endpoint=endpoint, key=key))
        )
        with Progress(console).bar("Checking", len(CHECKS)) as advance:
            return await run(CHECKS, workspace, advance)
