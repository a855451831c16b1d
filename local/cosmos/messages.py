"""Requests and responses as values that are independent of the HTTP library."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from local.cosmos.errors import ServiceError, bad_request
from local.cosmos.jsontext import decode, encode
from local.cosmos.sessions import session_token

if TYPE_CHECKING:
    from collections.abc import Mapping

    from local.cosmos.account import Account
    from local.cosmos.containers import Container, Partition
    from local.cosmos.faults import InjectedFault
    from local.cosmos.permissions import Principal

OK, CREATED, NO_CONTENT, MULTI_STATUS = 200, 201, 204, 207
NOT_MODIFIED, FAILED_DEPENDENCY, TOO_MANY_REQUESTS, SERVICE_UNAVAILABLE = 304, 424, 429, 503

_RID_MISMATCH = 1024
_MAX_TOKEN_DIGITS = 18


@dataclass(frozen=True, kw_only=True)
class Request:
    """A request to the account.

    Attributes:
        kind: The HTTP method, or QUERY, PLAN, BATCH or CHANGES where headers turn a POST or a GET
            into one of these.
        segments: The decoded path, resource types and ids in turn. Resource ids have been replaced
            by names.
        headers: The headers, with case-insensitive names.
        body: The body as received.
        account: The account that receives the request.
        endpoint: The URL of the account.
        principal: The identity that sent the request, None for the owner of the account.
        is_by_rid: Whether the path consisted of resource ids.
        injected_fault: The fault to apply to the request, None for none.
    """

    kind: str
    segments: tuple[str, ...]
    headers: Mapping[str, str]
    body: bytes
    account: Account
    endpoint: str
    principal: Principal | None = None
    is_by_rid: bool = False
    injected_fault: InjectedFault | None = None

    @property
    def shape(self) -> str:
        """The path with `*` for ids, such as `dbs/*/colls`."""
        return "/".join("*" if nth % 2 else name for nth, name in enumerate(self.segments))

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids of the path, the outermost first."""
        return self.segments[1::2]

    def container(self) -> Container:
        """Return the container that the request addresses, itself or by its items.

        Raises:
            ServiceError: 404/1003, if it does not exist; 400/1024, if the client expects an
                earlier container of the same name.
        """
        container = self.account.container_for_items(self.ids[0], self.ids[1])
        expected = self.headers.get("x-ms-cosmos-intended-collection-rid", container.rid)
        if expected != container.rid:
            raise bad_request(
                "The container was deleted and created again since the client read it.",
                sub_status=_RID_MISMATCH,
            )
        return container

    def has_flag(self, name: str) -> bool:
        """Return whether a header has the value `true`."""
        return self.headers.get(name, "").lower() == "true"

    @property
    def should_omit_body(self) -> bool:
        """Whether the client asked for responses without the items that it writes."""
        return "return=minimal" in self.headers.get("prefer", "")

    def integer_header(self, name: str) -> int | None:
        """Return the number in a header, None without the header.

        Raises:
            ServiceError: 400, if the header is not a whole number.
        """
        text = self.headers.get(name)
        try:
            return int(text) if text else None
        except ValueError:
            raise bad_request(f"Header {name} must be a whole number, got {text!r:.100}.") from None

    @property
    def session_token(self) -> str:
        """The session token of the client, empty without one."""
        return self.headers.get("x-ms-session-token", "")

    def page_size(self, default: int) -> int:
        """Return the maximum number of results, the default unless the client sets one."""
        size = self.integer_header("x-ms-max-item-count")
        return size if size is not None and size > 0 else default

    def json(self) -> Any:  # noqa: ANN401 - any JSON
        """Return the value of the JSON body.

        Raises:
            ServiceError: 400, if the body is not JSON.
        """
        try:
            return decode(self.body)
        except ValueError:
            raise bad_request("The request body is not valid JSON.") from None

    def json_object(self) -> dict[str, Any]:
        """Return the value of the body, which must be a JSON object.

        Raises:
            ServiceError: 400, if it is not one.
        """
        body = self.json()
        if not isinstance(body, dict):
            raise bad_request("The request body must be a JSON object.")
        return body


@dataclass(frozen=True, kw_only=True)
class Response:
    """A response.

    Attributes:
        status: The HTTP status.
        body: The JSON text, None for an empty body.
        charge: The request charge in request units.
        throttled: The number of operations that were rejected with 429.
        headers: The headers beside those of every response.
    """

    status: int = OK
    body: str | None = None
    charge: float = 1.0
    throttled: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)


def parse_continuation(text: str) -> int | None:
    """Return the number in a continuation token of the change feed, None for any other text."""
    is_number = text.isascii() and text.isdecimal() and len(text) <= _MAX_TOKEN_DIGITS
    return int(text) if is_number else None


def json_response(content: object, status: int = OK, etag: str | None = None) -> Response:
    """Return a response with a value as JSON."""
    headers = {} if etag is None else {"etag": etag}
    return Response(status=status, body=encode(content), headers=headers)


def error_response(error: ServiceError) -> Response:
    """Return the response for an error, with its sub-status and retry-after delay in headers."""
    headers = dict(error.headers)
    if error.sub_status:
        headers["x-ms-substatus"] = str(error.sub_status)
    if error.retry_after_ms is not None:
        headers["x-ms-retry-after-ms"] = str(error.retry_after_ms)
    content = {"code": error.code, "message": error.message}
    if error.additional is not None:
        content["additionalErrorInfo"] = error.additional
    return Response(
        status=error.status,
        body=encode(content),
        charge=error.charge,
        throttled=int(error.status == TOO_MANY_REQUESTS),
        headers=headers,
    )


def partition_headers(
    partition: Partition, etag: str | None = None, lsn: int | None = None
) -> dict[str, str]:
    """Return the headers with the session token and LSN of a physical partition, and an ETag.

    Args:
        partition: The partition that was read or written.
        etag: The ETag of the item or page.
        lsn: The last LSN of the replica that was read, None for that of the partition.
    """
    at = partition.lsn if lsn is None else lsn
    headers = {
        "x-ms-session-token": session_token(partition.key_range.id, at),
        "x-ms-documentdb-partitionkeyrangeid": partition.key_range.id,
        "lsn": str(at),
    }
    if etag is not None:
        headers["etag"] = etag
    return headers


def items_body(container: Container, bodies: list[str]) -> str:
    """Return the body of a page of items from the JSON text of each item."""
    return f'{{"_rid":"{container.rid}","Documents":[{",".join(bodies)}],"_count":{len(bodies)}}}'
