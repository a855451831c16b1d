"""Checks of the account."""

from __future__ import annotations

import asyncio
import json
import re
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from azure.cosmos import CosmosClient, PartitionKey

from local.conformance.check import ExpectedRange, check
from local.conformance.responses import Responses, response_to, responses_to

if TYPE_CHECKING:
    from local.conformance.workspace import Target, Workspace


@check("account.consistency", expected="Session")
async def consistency(workspace: Workspace) -> str:
    """Return the default consistency level."""
    account = await asyncio.to_thread(_account, workspace.target)
    return str(account["userConsistencyPolicy"]["defaultConsistencyLevel"])


@check("account.write_regions", expected="1, no other can be added")
async def write_regions(workspace: Workspace) -> str:
    """Return the number of write regions; two would accept the same position twice."""
    account = await asyncio.to_thread(_account, workspace.target)
    others = "others" if account["enableMultipleWriteLocations"] else "no other"
    return f"{len(account['writableLocations'])}, {others} can be added"


@check("account.clock", expected=ExpectedRange(low=-60, high=60, source="seconds"))
async def clock(workspace: Workspace) -> float:
    """Return the seconds between the service's clock (`Date` header) and that of this machine."""
    response = await response_to(lambda hook: workspace.events.read(raw_response_hook=hook))
    service_time = parsedate_to_datetime(response.headers["date"])
    return round((service_time - datetime.now(timezone.utc)).total_seconds(), 1)


@check("account.resource_usage", expected="documentsCount")
async def resource_usage(workspace: Workspace) -> str:
    """Return whether the resource usage of a container includes the number of its items."""
    response = await response_to(
        lambda hook: workspace.events.read(populate_quota_info=True, raw_response_hook=hook)
    )
    usage = response.headers.get("x-ms-resource-usage", "")
    return "documentsCount" if re.search(r"\bdocumentsCount=\d+", usage) else f"{usage!r}"


@check("account.missing_container", expected="404/1003")
async def missing_container(workspace: Workspace) -> str:
    """Return the first response to a read in a container that another client has deleted."""
    container = await workspace.database.create_container("missing", PartitionKey("/streamId"))
    await container.read()
    await workspace.second_client.get_database_client(workspace.database.id).delete_container(
        "missing"
    )
    responses = await responses_to(
        lambda hook: container.read_item("x", "y", raw_response_hook=hook)
    )
    return responses.all[0].code


def _account(target: Target) -> dict[str, Any]:
    """Return the account's properties, with the synchronous client, which has a method for them."""
    responses = Responses()
    with CosmosClient(target.endpoint, target.key) as client:
        client.get_database_account(raw_response_hook=responses)
    account: dict[str, Any] = json.loads(responses.all[-1].text)
    return account
