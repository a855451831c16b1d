"""Beliefs about the account."""

from __future__ import annotations

import asyncio
import json
import re
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from azure.cosmos import CosmosClient, PartitionKey

from local.conformance.answers import Answers, answer_to, answers_to
from local.conformance.checks import Between, check

if TYPE_CHECKING:
    from local.conformance.workspace import Target, Workspace


@check("account.consistency", believed="Session")
async def consistency(workspace: Workspace) -> str:
    """Return the default consistency level."""
    account = await asyncio.to_thread(_account, workspace.target)
    return str(account["userConsistencyPolicy"]["defaultConsistencyLevel"])


@check("account.write_regions", believed="1, no other can be added")
async def write_regions(workspace: Workspace) -> str:
    """Return the number of regions that take writes; two would accept one position twice."""
    account = await asyncio.to_thread(_account, workspace.target)
    others = "others" if account["enableMultipleWriteLocations"] else "no other"
    return f"{len(account['writableLocations'])}, {others} can be added"


@check("account.clock", believed=Between(low=-60, high=60, source="seconds off this machine's"))
async def clock(workspace: Workspace) -> float:
    """Return how far the service's clock is from ours, by the `Date` header of an answer."""
    answer = await answer_to(lambda hook: workspace.events.read(raw_response_hook=hook))
    told = parsedate_to_datetime(answer.headers["date"])
    return round((told - datetime.now(timezone.utc)).total_seconds(), 1)


@check("account.resource_usage", believed="documentsCount")
async def resource_usage(workspace: Workspace) -> str:
    """Return whether a container says how many items it has, where it is asked for its quota."""
    answer = await answer_to(
        lambda hook: workspace.events.read(populate_quota_info=True, raw_response_hook=hook)
    )
    told = answer.headers.get("x-ms-resource-usage", "")
    return "documentsCount" if re.search(r"\bdocumentsCount=\d+", told) else f"{told!r}"


@check("account.missing_container", believed="404/1003")
async def missing_container(workspace: Workspace) -> str:
    """Return the first answer to a read in a container that somebody else has deleted."""
    container = await workspace.database.create_container("missing", PartitionKey("/streamId"))
    await container.read()
    await workspace.stranger.get_database_client(workspace.database.id).delete_container("missing")
    answers = await answers_to(lambda hook: container.read_item("x", "y", raw_response_hook=hook))
    return answers.all[0].code


def _account(target: Target) -> dict[str, Any]:
    """Return the account as it describes itself; the asynchronous client has no public method."""
    answers = Answers()
    with CosmosClient(target.endpoint, target.key) as client:
        client.get_database_account(raw_response_hook=answers)
    account: dict[str, Any] = json.loads(answers.all[-1].text)
    return account
