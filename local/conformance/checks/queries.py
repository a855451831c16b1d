"""Checks of queries and their charges."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from local.conformance.check import ExpectedRange, check
from local.conformance.responses import Response, Responses

if TYPE_CHECKING:
    from local.conformance.workspace import Workspace

_NEWEST = "SELECT TOP 1 c.id FROM c WHERE c.id >= 'n0' AND c.id < 'n:' ORDER BY c.id DESC"
_RECENT = "SELECT * FROM c WHERE c._ts >= @since"
_CHARGE = ExpectedRange(low=2.3, high=4.5, source="recorded: 2.8; Equinox: 2.83 to 4.15")
_EVENTS = 300
_BATCH = 100
_BY_TIME = "SELECT * FROM c ORDER BY c._ts"
_FAR_FUTURE = 4_000_000_000


@check("query.newest_id", expected=f"n{_EVENTS:012}")
async def newest_id(workspace: Workspace) -> str:
    """Return the highest id of an appended event in a stream that has derived events, too."""
    items, _ = await _query(workspace, _NEWEST, [])
    return " ".join(item["id"] for item in items)


@check("query.newest_id_charge", expected=_CHARGE)
async def newest_id_charge(workspace: Workspace) -> float:
    """Return the charge of the query for the highest id, which does not depend on skipped items."""
    _, response = await _query(workspace, _NEWEST, [])
    return response.charge


@check("query.nothing_recent_charge", expected=_CHARGE)
async def nothing_recent_charge(workspace: Workspace) -> float:
    """Return the charge of a query by `_ts` that matches nothing in a long stream."""
    parameters = [{"name": "@since", "value": _FAR_FUTURE}]
    _, response = await _query(workspace, _RECENT, parameters)
    return response.charge


@check("query.ordered_by_time", expected=f"{_EVENTS} events, in order")
async def ordered_by_time(workspace: Workspace) -> str:
    """Return whether a long stream is read in the order of `_ts`, page by page."""
    items, _ = await _query(workspace, _BY_TIME, [])
    own = [item for item in items if item["id"].startswith("n0")]
    times = [item["_ts"] for item in items]
    return f"{len(own)} events, {'in order' if times == sorted(times) else 'not in order'}"


@check("query.by_id", expected="2 streams")
async def by_id(workspace: Workspace) -> str:
    """Return the number of streams in the result of a query by id."""
    items, _ = await _by_id(workspace)
    return f"{len({item['streamId'] for item in items})} streams"


@check("query.by_id_charge", expected=_CHARGE)
async def by_id_charge(workspace: Workspace) -> float:
    """Return the charge of a query by id per physical partition."""
    _, charge = await _by_id(workspace)
    return charge / len(await workspace.range_ids())


@check("query.prefix", expected="p-1 p-2 p-3")
async def prefix(workspace: Workspace) -> str:
    """Return the result of a query by id prefix over all partitions, as for leases."""
    for number in (1, 2, 3):
        await workspace.plain.create_item(workspace.document(workspace.stream(), f"p-{number}"))
    items = workspace.plain.query_items(
        "SELECT * FROM c WHERE STARTSWITH(c.id, @prefix)",
        parameters=[{"name": "@prefix", "value": "p-"}],
    )
    return " ".join(sorted([item["id"] async for item in items]))


async def _by_id(workspace: Workspace) -> tuple[list[dict[str, Any]], float]:
    """Return the items of a query by id, and the charge of all its requests."""
    name = workspace.stream()
    for _ in range(2):
        await workspace.events.create_item(workspace.document(workspace.stream(), name))
    responses = Responses()
    items = workspace.events.query_items(
        "SELECT * FROM c WHERE c.id = @id",
        parameters=[{"name": "@id", "value": name}],
        raw_response_hook=responses,
    )
    return [item async for item in items], sum(response.charge for response in responses.all)


async def _long_stream(workspace: Workspace) -> tuple[str, str]:
    """Return a stream with many appended events and other ids, and its session token."""
    stream = workspace.stream()
    for first in range(1, _EVENTS + 1, _BATCH):
        own = range(first, first + _BATCH)
        await workspace.append(stream, *(workspace.document(stream, f"n{n:012}") for n in own))
    others = ("a0", "m9", "n", "n-1", "nx", "o1")
    response = await workspace.append(
        stream, *(workspace.document(stream, name) for name in others)
    )
    return stream, response.session_token


async def _query(
    workspace: Workspace, text: str, parameters: list[dict[str, Any]]
) -> tuple[list[dict[str, Any]], Response]:
    """Return the items and the last response of a query in a long stream."""
    stream, token = await _long_stream(workspace)
    responses = Responses()
    items = workspace.events.query_items(
        text,
        parameters=parameters,
        partition_key=stream,
        session_token=token,
        raw_response_hook=responses,
    )
    return [item async for item in items], responses.all[-1]
