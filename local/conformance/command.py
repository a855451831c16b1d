"""The command `python -m local conformance`."""

from __future__ import annotations

import asyncio
import json
import logging
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Annotated, Any

import typer
from azure.core.exceptions import AzureError
from rich.console import Console

from local.conformance.checks import CHECKS
from local.conformance.embedded import embedded_target
from local.conformance.report import show
from local.conformance.runner import run
from local.conformance.workspace import Target, WorkspaceError, open_workspace
from local.cosmos import WELL_KNOWN_KEY
from local.harness.progress import Progress
from local.signals import cancel_on_signals

if TYPE_CHECKING:
    from collections.abc import Mapping

    from local.conformance.check import Finding

_INTERRUPTED = 130
_IDENTITY = "identity"
_ROLE_HELP = f"Key for the role {{}} of infra/roles.json, or `{_IDENTITY}` for that of `az login`."


def conformance(
    endpoint: Annotated[
        str | None, typer.Option(help="URL of the account; the embedded Cosmos DB by default.")
    ] = None,
    key: Annotated[
        str, typer.Option(help="Key of the account.", envvar="COSMOS_KEY", show_default=False)
    ] = WELL_KNOWN_KEY,
    appender: Annotated[str | None, typer.Option(help=_ROLE_HELP.format("appender"))] = None,
    editor: Annotated[str | None, typer.Option(help=_ROLE_HELP.format("editor"))] = None,
    as_json: Annotated[  # noqa: FBT002 - a flag
        bool, typer.Option("--json", help="One JSON array instead of a table.")
    ] = False,
) -> None:
    """Check every assumption about Cosmos DB that the engine makes.

    The checks run in a database that is created and removed; other databases are not accessed.
    Exit with code 1 if a check fails.
    """
    logging.basicConfig(level=logging.CRITICAL)  # the findings contain what the SDK logs
    console = Console(stderr=as_json)
    try:
        roles = {"appender": appender, "editor": editor}
        findings = asyncio.run(_check(endpoint, key, roles, console))
    except (AzureError, WorkspaceError) as error:
        typer.echo(f"Cannot run the checks: {error}", err=True)
        raise typer.Exit(1) from None
    except asyncio.CancelledError:
        typer.echo("Stopped. The database of the checks has been removed.", err=True)
        raise typer.Exit(_INTERRUPTED) from None
    if as_json:
        typer.echo(json.dumps([finding.to_dict() for finding in findings], indent=2))
    else:
        show(findings, console)
    if any(finding.passed is False for finding in findings):
        raise typer.Exit(1)


async def _check(
    endpoint: str | None, key: str, roles: Mapping[str, str | None], console: Console
) -> list[Finding]:
    cancel_on_signals()
    async with AsyncExitStack() as stack:
        if endpoint is None:
            target = await stack.enter_async_context(embedded_target())
        else:
            given = {role: text for role, text in roles.items() if text is not None}
            credentials = {role: await _credential(stack, text) for role, text in given.items()}
            target = Target(endpoint=endpoint, key=key, credentials=credentials)
        workspace = await stack.enter_async_context(open_workspace(target))
        with Progress(console).bar("Checking", len(CHECKS)) as advance:
            return await run(CHECKS, workspace, advance)


async def _credential(stack: AsyncExitStack, text: str) -> Any:  # noqa: ANN401 - the SDK takes either
    """Return a key unchanged, or the credential of the identity that is logged in."""
    if text != _IDENTITY:
        return text
    # Imported here because it takes longer than all other imports of the command line.
    from azure.identity.aio import DefaultAzureCredential  # noqa: PLC0415

    return await stack.enter_async_context(DefaultAzureCredential())
