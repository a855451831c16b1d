"""What the service answers, seen through the SDK's public hooks."""

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
"""What the SDK is asked to send before the hook replaces it."""


TOO_MANY_REQUESTS = 429


class Answer(NamedTuple):
    """One HTTP answer, with the headers of its request."""

    status: int
    headers: Mapping[str, str]
    text: str
    request: Mapping[str, str]

    @property
    def charge(self) -> float:
        """Request units."""
        return float(self.headers.get("x-ms-request-charge", "nan"))

    @property
    def session_token(self) -> str:
        """The session token; empty where there is none."""
        return self.headers.get("x-ms-session-token", "")

    @property
    def code(self) -> str:
        """The status, and after a slash the sub-status where there is one."""
        return _code(self.status, self.headers.get("x-ms-substatus"))

    @property
    def operations(self) -> str:
        """The status of each operation of a batch."""
        return ", ".join(
            _code(result["statusCode"], result.get("subStatusCode")) for result in self.results
        )

    @property
    def results(self) -> list[dict[str, Any]]:
        """The result of each operation of a batch; none where the request failed as a whole."""
        content = json.loads(self.text) if self.text else []
        return content if isinstance(content, list) else []


@dataclass
class Answers:
    """All answers to one call of the SDK, which may take several requests.

    An instance is what `raw_response_hook` takes.
    """

    all: list[Answer] = field(default_factory=list)

    def __call__(self, response: Any) -> None:  # noqa: ANN401 - azure-core's pipeline response
        """Append an answer."""
        answer = response.http_response
        self.all.append(
            Answer(answer.status_code, answer.headers, answer.text(), response.http_request.headers)
        )

    @property
    def codes(self) -> str:
        """The status codes in their order."""
        return ", ".join(answer.code for answer in self.all)


async def answers_to(call: Callable[[Answers], Awaitable[object]]) -> Answers:
    """Return the answers to a call of the SDK, whether it succeeds or fails.

    Answers that were throttled and asked for again are left out.
    """
    answers = Answers()
    with suppress(HttpResponseError):
        await call(answers)
    *before, last = answers.all
    return Answers([*(each for each in before if each.status != TOO_MANY_REQUESTS), last])


async def answer_to(call: Callable[[Answers], Awaitable[object]]) -> Answer:
    """Return the last answer to a call of the SDK, whether it succeeds or fails."""
    return (await answers_to(call)).all[-1]


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
) -> Answer:
    """Return the answer to a bulk request, whether operations succeed or fail."""
    return await answer_to(
        lambda hook: send_bulk(
            container, range_id, operations, hook, continue_on_error=continue_on_error
        )
    )


async def send_bulk(
    container: ContainerProxy,
    range_id: str,
    operations: Sequence[dict[str, Any]],
    hook: Answers,
    *,
    continue_on_error: bool = True,
) -> None:
    """Send a bulk request to a key range, in the form of the JavaScript SDK."""
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
    """Return an operation of a bulk request on an item of a stream."""
    return {"operationType": kind, "partitionKey": json.dumps([stream]), **members}


def _code(status: int, sub_status: object) -> str:
    return f"{status}/{sub_status}" if sub_status and str(sub_status) != "0" else str(status)
