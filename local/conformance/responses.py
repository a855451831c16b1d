"""The responses of Cosmos DB, recorded by the public hooks of the SDK."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from azure.core.exceptions import HttpResponseError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

    from azure.cosmos.aio import ContainerProxy

_PLACEHOLDER = [("read", ("-",))]
"""The operations that the SDK sends, before a hook replaces them."""

TOO_MANY_REQUESTS = 429


class Response(NamedTuple):
    """An HTTP response with the headers of its request."""

    status: int
    headers: Mapping[str, str]
    text: str
    request: Mapping[str, str]

    @property
    def charge(self) -> float:
        """The request charge in request units."""
        return float(self.headers.get("x-ms-request-charge", "nan"))

    @property
    def session_token(self) -> str:
        """The session token, or an empty text if there is none."""
        return self.headers.get("x-ms-session-token", "")

    @property
    def code(self) -> str:
        """The status, followed by a slash and the sub-status if there is one."""
        return _code(self.status, self.headers.get("x-ms-substatus"))

    @property
    def operations(self) -> str:
        """The status of each operation of a batch."""
        return ", ".join(
            _code(result["statusCode"], result.get("subStatusCode")) for result in self.results
        )

    @property
    def results(self) -> list[dict[str, Any]]:
        """The result of each operation of a batch; empty if the whole request failed."""
        content = json.loads(self.text) if self.text else []
        return content if isinstance(content, list) else []


@dataclass
class Responses:
    """The responses to one call of the SDK, which may send several requests.

    An instance is a `raw_response_hook`.
    """

    all: list[Response] = field(default_factory=list)

    def __call__(self, exchange: Any) -> None:  # noqa: ANN401 - azure-core's pipeline response
        """Append a response."""
        response, request = exchange.http_response, exchange.http_request
        self.all.append(
            Response(response.status_code, response.headers, response.text(), request.headers)
        )

    @property
    def codes(self) -> str:
        """The status codes in their order."""
        return ", ".join(response.code for response in self.all)


async def responses_to(call: Callable[[Responses], Awaitable[object]]) -> Responses:
    """Return the responses to a call of the SDK, whether it succeeds or fails.

    Throttled responses that the SDK retried are left out.
    """
    responses = Responses()
    with suppress(HttpResponseError):
        await call(responses)
    *previous, last = responses.all
    accepted = (response for response in previous if response.status != TOO_MANY_REQUESTS)
    return Responses([*accepted, last])


async def response_to(call: Callable[[Responses], Awaitable[object]]) -> Response:
    """Return the last response to a call of the SDK, whether it succeeds or fails."""
    return (await responses_to(call)).all[-1]


def creates(
    documents: Iterable[Mapping[str, Any]],
) -> list[tuple[str, tuple[Mapping[str, Any], ...]]]:
    """Return the operations of a transactional batch that creates documents."""
    return [("create", (document,)) for document in documents]


async def bulk(
    container: ContainerProxy,
    range_id: str,
    operations: Sequence[dict[str, Any]],
    *,
    continue_on_error: bool = True,
) -> Response:
    """Return the response to a bulk request, whether operations succeed or fail."""
    return await response_to(
        lambda hook: send_bulk(
            container, range_id, operations, hook, continue_on_error=continue_on_error
        )
    )


async def send_bulk(
    container: ContainerProxy,
    range_id: str,
    operations: Sequence[dict[str, Any]],
    hook: Responses,
    *,
    continue_on_error: bool = True,
) -> None:
    """Send a bulk request to a key range, in the format of the JavaScript SDK."""
    headers = {
        "x-ms-cosmos-batch-atomic": "False",
        "x-ms-cosmos-batch-continue-on-error": str(continue_on_error),
        "x-ms-documentdb-partitionkeyrangeid": range_id,
    }

    def replace(request: Any) -> None:  # noqa: ANN401 - azure-core's pipeline request
        sent = request.http_request
        sent.data = json.dumps(operations, separators=(",", ":")).encode()
        del sent.headers["x-ms-documentdb-partitionkey"]
        sent.headers.update({**headers, "Content-Length": str(len(sent.data))})

    await container.execute_item_batch(
        _PLACEHOLDER, "-", raw_request_hook=replace, raw_response_hook=hook
    )


def operation(kind: str, stream: str, **members: object) -> dict[str, Any]:
    """Return an operation of a bulk request, on an item of a stream."""
    return {"operationType": kind, "partitionKey": json.dumps([stream]), **members}


def _code(status: int, sub_status: object) -> str:
    return f"{status}/{sub_status}" if sub_status and str(sub_status) != "0" else str(status)
