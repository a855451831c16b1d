"""The functions with a Cosmos DB trigger, one for each projection module."""

from __future__ import annotations

from typing import TYPE_CHECKING

import azure.functions as func  # noqa: TC002 - the worker reads the annotations

from core.settings import CONNECTION_SETTING
from core.tracking.leases import lease_prefix

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from core.application import Application


def register_triggers(
    app: func.FunctionApp, application: Application, environ: Mapping[str, str]
) -> None:
    """Declare a trigger for each projection module.

    Two settings are part of correctness. The unlimited retry policy: without it the trigger
    checkpoints past a failed batch, and its events are lost. `start_from_beginning`: without it
    changes made before the first checkpoint are lost.
    """
    settings = application.settings
    for module in application.registry.modules:
        trigger = app.cosmos_db_trigger(
            arg_name="documents",
            connection=CONNECTION_SETTING,
            database_name=_reference(environ, "CosmosDatabase", settings.database),
            container_name=_reference(environ, "EventsContainer", settings.events_container),
            lease_container_name=_reference(environ, "LeasesContainer", settings.leases_container),
            lease_container_prefix=lease_prefix(module),
            create_lease_container_if_not_exists=False,
            start_from_beginning=True,  # type: ignore[arg-type] # annotated as a time, takes a bool
            max_items_per_invocation=settings.max_items_per_invocation,
            feed_poll_delay=settings.feed_poll_delay_ms,
        )
        retry = app.retry(
            strategy="exponential_backoff",
            max_retry_count="-1",
            minimum_interval="00:00:01",
            maximum_interval="00:00:15",
        )
        name = app.function_name(f"project_{module}")
        name(retry(trigger(_projecting(application, module))))


def _projecting(application: Application, module: str) -> Callable[..., Awaitable[None]]:
    async def project(documents: func.DocumentList) -> None:
        await application.project(module, [dict(document) for document in documents])

    return project


def _reference(environ: Mapping[str, str], setting: str, default: str) -> str:
    """Return `%Setting%` for the host to resolve, or the default if the setting does not exist.

    The host does not start a function whose binding refers to a missing setting.
    """
    return f"%{setting}%" if environ.get(setting) else default
