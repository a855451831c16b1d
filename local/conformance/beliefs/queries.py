"""Beliefs about queries, and what they cost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from local.conformance.answers import Answer, Answers
from local.conformance.checks import Between, check

if TYPE_CHECKING:
    from local.conformance.workspace import Workspace

_NEWEST = "SELECT TOP 1 c.id FROM c WHERE c.id >= 'n0' AND c.id < 'n:' ORDER BY c.id DESC"
_RECENT = "SELECT * FROM c WHERE c._ts >= @since"
_CHARGE = Between(low=2.3, high=4.5, source="recorded: 2.8; Equinox: 2.83 to 4.15")
_EVENTS = 300
_BATCH = 100
_BY_TIME = "SELECT * FROM c ORDER BY c._ts"
_FAR_FUTURE = 4_000_000_000


@check("query.newest_id", believed=f"n{_EVENTS:012}")
async def newest_id(workspace: Workspace) -> str:
    """Return the highest id of an own event in a stream that has other events as well."""
    items, _ = await _query(workspace, _NEWEST, [])
    return " ".join(item["id"] for item in items)


@check("query.newest_id_charge", believed=_CHARGE)
async def newest_id_charge(workspace: Workspace) -> float:
    """Return what that costs: for what is returned, and not for what is passed."""
    _, answer = await _query(workspace, _NEWEST, [])
    return answer.charge


@check("query.nothing_recent_charge", believed=_CHARGE)
async def nothing_recent_charge(workspace: Workspace) -> float:
    """Return what a query by `_ts` costs in a long stream of which nothing matches."""
    parameters = [{"name": "@since", "value": _FAR_FUTURE}]
    _, answer = await _query(workspace, _RECENT, parameters)
    return answer.charge


@check("query.ordered_by_time", believed=f"{_EVENTS} events, in order")
async def ordered_by_time(workspace: Workspace) -> str:
    """Return whether a long stream can be read in the order of `_ts`, page by page."""
    items, _ = await _query(workspace, _BY_TIME, [])
    own = [item for item in items if item["id"].startswith("n0")]
    times = [item["_ts"] for item in items]
    return f"{len(own)} events, {'in order' if times == sorted(times) else 'not in order'}"


@check("query.by_id", believed="2 streams")
async def by_id(workspace: Workspace) -> str:
    """Return the number of streams in which a query by id alone finds an item."""
    items, _ = await _by_id(workspace)
    return f"{len({item['streamId'] for item in items})} streams"


@check("query.by_id_charge", believed=_CHARGE)
async def by_id_charge(workspace: Workspace) -> float:
    """Return what that costs for each physical partition."""
    _, charge = await _by_id(workspace)
    return charge / len(await workspace.range_ids())


@check("query.prefix", believed="p-1 p-2 p-3")
async def prefix(workspace: Workspace) -> str:
    """Return the ids that a query by prefix finds in all partitions, as leases are listed."""
    for number in (1, 2, 3):
        await workspace.plain.create_item(workspace.document(workspace.stream(), f"p-{number}"))
    items = workspace.plain.query_items(
        "SELECT * FROM c WHERE STARTSWITH(c.id, @prefix)",
        parameters=[{"name": "@prefix", "value": "p-"}],
    )
    return " ".join(sorted([item["id"] async for item in items]))


async def _by_id(workspace: Workspace) -> tuple[list[dict[str, Any]], float]:
    """Return what a query by id finds, and its charge over all requests."""
    name = workspace.stream()
    for _ in range(2):
        await workspace.events.create_item(workspace.document(workspace.stream(), name))
    answers = Answers()
    items = workspace.events.query_items(
        "SELECT * FROM c WHERE c.id = @id",
        parameters=[{"name": "@id", "value": name}],
        raw_response_hook=answers,
    )
    return [item async for item in items], sum(answer.charge for answer in answers.all)


async def _long_stream(workspace: Workspace) -> tuple[str, str]:
    """Return a stream with many own events and with ids around theirs, and its session token."""
    stream = workspace.stream()
    for first in range(1, _EVENTS + 1, _BATCH):
        own = range(first, first + _BATCH)
        await workspace.append(stream, *(workspace.document(stream, f"n{n:012}") for n in own))
    others = ("a0", "m9", "n", "n-1", "nx", "o1")
    answer = await workspace.append(stream, *(workspace.document(stream, each) for each in others))
    return stream, answer.session_token


async def _query(
    workspace: Workspace, text: str, parameters: list[dict[str, Any]]
) -> tuple[list[dict[str, Any]], Answer]:
    """Return the items and the last answer of a query in a long stream."""
    stream, token = await _long_stream(workspace)
    answers = Answers()
    items = workspace.events.query_items(
        text,
        parameters=parameters,
        partition_key=stream,
        session_token=token,
        raw_response_hook=answers,
    )
    return [item async for item in items], answers.all[-1]
