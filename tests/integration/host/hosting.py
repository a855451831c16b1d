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
    found = func.FunctionApp()

    async def receive(documents: func.DocumentList, context: func.Context) -> None:
        del context
        await work([dict(each) for each in documents])

    trigger = found.cosmos_db_trigger(
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
        policy = found.retry(
            strategy="fixed_delay", max_retry_count="-1", delay_interval="00:00:00"
        )
        declared = policy(declared)
    found.function_name("receive")(declared)
    return found


class Received:
    """Collects what was delivered."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []

    async def __call__(self, documents: list[dict[str, Any]]) -> None:
        self.batches.append([each["id"] for each in documents])

    @property
    def ids(self) -> list[str]:
        return sorted(each for batch in self.batches for each in batch)

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
    found = [each async for each in container.query_items("SELECT * FROM c")]
    return [each for each in found if "LeaseToken" in each]


async def all_owned(database: DatabaseProxy) -> bool:
    found = await leases(database)
    return len(found) == 4 and all(each["Owner"] for each in found)


async def change_leases(database: DatabaseProxy, **changes: Any) -> None:
    for each in await leases(database):
        changed = {**each, **changes}
        await database.get_container_client("leases").replace_item(each["id"], changed)
