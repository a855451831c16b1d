"""Checks of single items."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from azure.core import MatchConditions

from core.quotas import MAX_ITEM_BYTES
from local.conformance.check import check
from local.conformance.responses import Responses, response_to
from local.conformance.workspace import KILOBYTE

if TYPE_CHECKING:
    from local.conformance.workspace import Workspace

_TIMES = ("2026-01-01T00:00:00.000010Z", "2026-01-01T00:00:00.000000Z", "2026-01-01T10:00:00+02:00")


@check("item.unique_id", expected="same stream 409, other stream 201")
async def unique_id(workspace: Workspace) -> str:
    """Return the statuses of creates with an existing id."""
    document = await workspace.events.create_item(workspace.document(workspace.stream()))
    again = workspace.document(document["streamId"], document["id"])
    elsewhere = workspace.document(workspace.stream(), document["id"])
    same, other = [await _create(workspace, body) for body in (again, elsewhere)]
    return f"same stream {same}, other stream {other}"


@check("item.if_match", expected="replace 200, replace again 412, delete 412")
async def if_match(workspace: Workspace) -> str:
    """Return the statuses of changes that require the ETag of the first version."""
    document = await workspace.events.create_item(workspace.document(workspace.stream()))
    condition: dict[str, Any] = {
        "etag": document["_etag"],
        "match_condition": MatchConditions.IfNotModified,
    }

    async def replace(hook: Responses) -> None:
        await workspace.events.replace_item(
            document["id"], document, raw_response_hook=hook, **condition
        )

    async def delete(hook: Responses) -> None:
        await workspace.events.delete_item(
            document["id"], document["streamId"], raw_response_hook=hook, **condition
        )

    first, second, third = [
        (await response_to(change)).code for change in (replace, replace, delete)
    ]
    return f"replace {first}, replace again {second}, delete {third}"


@check("item.other_stream", expected="400/1001")
async def other_stream(workspace: Workspace) -> str:
    """Return the status of a create whose partition key differs from that of the item."""

    def readdress(request: Any) -> None:  # noqa: ANN401 - azure-core's pipeline request
        request.http_request.headers["x-ms-documentdb-partitionkey"] = '["other"]'

    document = workspace.document(workspace.stream())
    response = await response_to(
        lambda hook: workspace.events.create_item(
            document, raw_request_hook=readdress, raw_response_hook=hook
        )
    )
    return response.code


@check("item.missing", expected="404")
async def missing(workspace: Workspace) -> str:
    """Return the status of a read of an item that does not exist."""
    stream = workspace.stream()
    response = await response_to(
        lambda hook: workspace.events.read_item("missing", stream, raw_response_hook=hook)
    )
    return response.code


@check("item.almost_2_mb", expected="201")
async def almost_2_mb(workspace: Workspace) -> str:
    """Return the status of a create of the largest document that the engine writes."""
    return await _create(workspace, workspace.sized(workspace.stream(), MAX_ITEM_BYTES))


@check("item.over_2_mb", expected="413")
async def over_2_mb(workspace: Workspace) -> str:
    """Return the status of a create of an item that is too large."""
    size = 2 * KILOBYTE * KILOBYTE + KILOBYTE
    return await _create(workspace, workspace.sized(workspace.stream(), size))


@check("item.minimal_response", expected="201, no body, ETag")
async def minimal_response(workspace: Workspace) -> str:
    """Return the contents of a response without a body."""
    document = workspace.document(workspace.stream())
    response = await response_to(
        lambda hook: workspace.events.create_item(
            document, no_response=True, raw_response_hook=hook
        )
    )
    parts = (
        "a body" if response.text else "no body",
        "ETag" if "etag" in response.headers else "none",
    )
    return f"{response.code}, {', '.join(parts)}"


@check("item.values_unchanged", expected="as sent")
async def values_unchanged(workspace: Workspace) -> str:
    """Return whether times, numbers and texts are stored unchanged."""
    data: dict[str, Any] = {
        "times": _TIMES,
        "numbers": [0.1 + 0.2, 1e22, 9007199254740991, -0.5],
        "texts": ["\u00e4\u4e2d\U0001f600", "\u2028", '"\\/', ""],
    }
    document = workspace.document(workspace.stream(), data=data)
    await workspace.events.create_item(document)
    stored = await workspace.events.read_item(document["id"], document["streamId"])
    expected = {**data, "times": list(_TIMES)}
    return "as sent" if stored["data"] == expected else f"{stored['data']}"


@check("item.many_at_once", expected="1 2 3")
async def many_at_once(workspace: Workspace) -> str:
    """Return the ids of the items that a read of several keys returns."""
    keys = [(name, workspace.stream()) for name in ("1", "2", "3")]
    for name, stream in keys:
        await workspace.events.create_item(workspace.document(stream, name))
    items = await workspace.events.read_items([*keys, ("missing", keys[0][1])])
    return " ".join(sorted(item["id"] for item in items))


async def _create(workspace: Workspace, document: dict[str, Any]) -> str:
    response = await response_to(
        lambda hook: workspace.events.create_item(document, raw_response_hook=hook)
    )
    return response.code
