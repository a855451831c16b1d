"""Checks of the data actions of the roles in `infra/roles.json`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from azure.cosmos import PartitionKey
from azure.cosmos.aio import CosmosClient

from local.conformance.check import NotCheckableError, check
from local.conformance.responses import Responses, creates, operation, response_to, send_bulk

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Awaitable, Callable

    from azure.cosmos.aio import ContainerProxy, DatabaseProxy

    from local.conformance.responses import Response
    from local.conformance.workspace import Workspace

    Action = Callable[[Responses], Awaitable[object]]

_FORBIDDEN = "403"
_FIRST_ERROR = "400"


@check("role.appender", expected="forbidden: replace, delete, delete in a batch, new container")
async def appender(workspace: Workspace) -> str:
    """Return the actions that the role of the events container forbids."""
    return await _forbidden(workspace, "appender")


@check("role.editor", expected="forbidden: new container")
async def editor(workspace: Workspace) -> str:
    """Return the actions that the role of the leases and dead letters forbids."""
    return await _forbidden(workspace, "editor")


async def _forbidden(workspace: Workspace, role: str) -> str:
    """Return the actions that the role forbids, and those that fail for other reasons."""
    credential = workspace.target.credentials.get(role)
    if credential is None:
        raise NotCheckableError(f"--{role} is not given")
    async with CosmosClient(workspace.target.endpoint, credential) as client:
        database = client.get_database_client(workspace.database.id)
        container = database.get_container_client(workspace.events.id)
        codes = {
            name: _highest_status(await response_to(action))
            for name, action in (await _actions(workspace, container)).items()
        }
        codes["new container"] = _highest_status(
            await response_to(lambda hook: _create(database, hook))
        )
    forbidden = [name for name, code in codes.items() if code.startswith(_FORBIDDEN)]
    failed = [
        f"; {name} {code}"
        for name, code in codes.items()
        if code >= _FIRST_ERROR and name not in forbidden
    ]
    return f"forbidden: {', '.join(forbidden)}{''.join(failed)}"


async def _actions(workspace: Workspace, container: ContainerProxy) -> dict[str, Action]:
    """Return the actions to try with the role by name, after creating the items they need."""
    stream = workspace.stream()
    first, second, third = (workspace.document(stream, name) for name in "123")
    token = (await workspace.append(stream, first, second, third)).session_token
    range_id = await workspace.range_id(stream)
    upsert = operation("Upsert", stream, resourceBody=workspace.document(stream))
    return {
        "create": lambda hook: container.create_item(
            workspace.document(stream), raw_response_hook=hook
        ),
        "upsert": lambda hook: container.upsert_item(
            workspace.document(stream), raw_response_hook=hook
        ),
        "upsert over": lambda hook: container.upsert_item(first, raw_response_hook=hook),
        "read": lambda hook: container.read_item(
            "1", stream, session_token=token, raw_response_hook=hook
        ),
        "query": lambda hook: _read_all(
            container.query_items("SELECT * FROM c", partition_key=stream, raw_response_hook=hook)
        ),
        "feed": lambda hook: _read_all(
            container.query_items_change_feed(start_time="Beginning", raw_response_hook=hook)
        ),
        "create in a batch": lambda hook: container.execute_item_batch(
            creates([workspace.document(stream)]), stream, raw_response_hook=hook
        ),
        "read in a batch": lambda hook: container.execute_item_batch(
            [("read", ("1",))], stream, raw_response_hook=hook
        ),
        "bulk": lambda hook: send_bulk(container, range_id, [upsert], hook),
        "replace": lambda hook: container.replace_item("1", first, raw_response_hook=hook),
        "delete": lambda hook: container.delete_item("2", stream, raw_response_hook=hook),
        "delete in a batch": lambda hook: container.execute_item_batch(
            [("delete", ("3",))], stream, raw_response_hook=hook
        ),
    }


async def _read_all(items: AsyncIterable[object]) -> None:
    async for _ in items:
        pass


async def _create(database: DatabaseProxy, hook: Responses) -> None:
    await database.create_container("forbidden", PartitionKey("/streamId"), raw_response_hook=hook)


def _highest_status(response: Response) -> str:
    """Return the highest status of a response and its operations."""
    return max([response.code, *response.operations.split(", ")])
