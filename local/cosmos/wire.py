"""What answers look like on the wire."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from aiohttp import web

from local.cosmos.errors import bad_request

if TYPE_CHECKING:
    from local.cosmos.account import Container, Partition
    from local.cosmos.errors import ServiceError

NOT_MODIFIED = 304

Headers = dict[str, str]


def headers(charge: float, partition: Partition | None = None, etag: str | None = None) -> Headers:
    """The headers that every answer has: charge, activity, session token, LSN, ETag."""
    found = {
        "x-ms-request-charge": f"{charge:g}",
        "x-ms-activity-id": str(uuid4()),
        "x-ms-version": "2018-12-31",
    }
    if partition is not None:
        found["x-ms-session-token"] = partition.session_token
        found["lsn"] = str(partition.lsn)
    if etag is not None:
        found["etag"] = etag
    return found


def answer(status: int, body: str | None, fields: Headers) -> web.Response:
    """An answer with a JSON text, or without a body."""
    content = None if body is None else body.encode()
    return web.Response(
        status=status, body=content, headers=fields, content_type="application/json"
    )


def json_answer(content: object, charge: float = 1.0, status: int = 200) -> web.Response:
    """An answer with a value as JSON."""
    return answer(status, json.dumps(content), headers(charge))


def error_answer(error: ServiceError) -> web.Response:
    """A refusal, with its status and sub-status as the service says them."""
    fields = headers(error.charge)
    if error.sub_status:
        fields["x-ms-substatus"] = str(error.sub_status)
    if error.retry_after_ms is not None:
        fields["x-ms-retry-after-ms"] = str(error.retry_after_ms)
    body = json.dumps({"code": error.code, "message": error.message})
    return answer(error.status, body, fields)


def documents_page(container: Container, bodies: list[str], *, key: str = "Documents") -> str:
    """A page of items from their JSON texts."""
    return f'{{"_rid":"{container.rid}","{key}":[{",".join(bodies)}],"_count":{len(bodies)}}}'


async def json_body(request: web.Request) -> Any:  # noqa: ANN401 - any JSON
    """The request's body as JSON.

    Raises:
        ServiceError: 400.
    """
    try:
        return json.loads(await request.read())
    except ValueError:
        raise bad_request("The request's body is no valid JSON.") from None


async def json_object(request: web.Request) -> dict[str, Any]:
    """The request's body as a JSON object.

    Raises:
        ServiceError: 400.
    """
    body = await json_body(request)
    if not isinstance(body, dict):
        raise bad_request("The request's body must be a JSON object.")
    return body


def partition_key(text: str | None) -> Any:  # noqa: ANN401 - any JSON scalar
    """The partition key of a request header or a bulk operation: `["key"]`.

    Raises:
        ServiceError: 400.
    """
    try:
        values = json.loads(text or "")
    except ValueError:
        raise bad_request("The partition key is missing or no JSON array.") from None
    if not isinstance(values, list) or len(values) != 1:
        raise bad_request("The partition key must be an array of exactly one value.")
    return values[0]
