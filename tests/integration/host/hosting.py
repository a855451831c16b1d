"""What the tests of the host share: an app with one function on a feed, and its leases."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import azure.functions as func
from azure.cosmos.aio import ContainerProxy, DatabaseProxy

from local.cosmos import EmbeddedCosmos
from local.host import FunctionsHost, HostOptions
from tests.support import until

Work = Callable[[list[dict[str, Any]]], Awaitable[None]]


def app(work: Work, *, retry: bool = True, **trigger_options: Any) -> func.FunctionApp:
    """An app with one function on the feed."""
    function_app = func.FunctionApp()

    async def receive(documents: func.DocumentList, context: func.Context) -> None:
        del context
        await work([dict(document) for document in documents])

    trigger = function_app.cosmos_db_trigger(
        arg_name="documents",
        connection="C",
        database_name="db",
        container_name="events",
        lease_container_prefix="p-",
        feed_poll_delay=20,
        max_items_per_invocation=10,
        start_from_beginning=True,  # type: ignore[arg-type] # annotated as a time, takes a bool
        **trigger_options,
    )
    declared = trigger(receive)
    if retry:
        policy = function_app.retry(
            strategy="fixed_delay", max_retry_count="-1", delay_interval="00:00:00"
        )
        declared = policy(declared)
    function_app.function_name("receive")(declared)
    return function_app


class Received:
    """Collects what was delivered."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []

    async def __call__(self, documents: list[dict[str, Any]]) -> None:
        self.batches.append([document["id"] for document in documents])

    @property
    def ids(self) -> list[str]:
        return sorted(document_id for batch in self.batches for document_id in batch)

    async def complete(self, count: int) -> None:
        async def enough() -> bool:
            return len(set(self.ids)) >= count

        await until(enough)


def host(cosmos: EmbeddedCosmos, work: Work, **options: Any) -> FunctionsHost:
    expiration, folder = options.pop("expiration", 1.5), options.pop("folder", Path.cwd())
    endpoint = options.pop("endpoint", cosmos.endpoint)
    return FunctionsHost(
        HostOptions(port=0, lease_expiration=expiration, folder=folder),
        {"C": cosmos.connection_string.replace(cosmos.endpoint, endpoint)},
        app(work, **options),
    )


async def write(events: ContainerProxy, *names: str) -> None:
    for name in names:
        await events.create_item({"id": name, "streamId": f"s-{name}"})


async def leases(database: DatabaseProxy) -> list[dict[str, Any]]:
    container = database.get_container_client("leases")
    documents = [document async for document in container.query_items("SELECT * FROM c")]
    return [document for document in documents if "LeaseToken" in document]


async def all_owned(database: DatabaseProxy) -> bool:
    stored_leases = await leases(database)
    return len(stored_leases) == 4 and all(lease["Owner"] for lease in stored_leases)


async def change_leases(database: DatabaseProxy, **changes: Any) -> None:
    for lease in await leases(database):
        changed = {**lease, **changes}
        await database.get_container_client("leases").replace_item(lease["id"], changed)
