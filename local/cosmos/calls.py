"""What a request asks and what it is answered, as values that know nothing of an HTTP library."""

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
    from local.cosmos.faults import Strike
    from local.cosmos.permissions import Principal

OK, CREATED, NO_CONTENT, MULTI_STATUS = 200, 201, 204, 207
NOT_MODIFIED, FAILED_DEPENDENCY, TOO_MANY_REQUESTS, SERVICE_UNAVAILABLE = 304, 424, 429, 503

_RID_MISMATCH = 1024
_LONGEST_TOKEN = 18


@dataclass(frozen=True, kw_only=True)
class Call:
    """A request.

    Attributes:
        verb: The HTTP method, or what a POST or GET really is: QUERY, PLAN, BATCH or CHANGES.
        segments: The decoded path: kinds and ids in turn, by names where it came by resource ids.
        headers: By name, in any case.
        account: Whom it is sent to.
        endpoint: The account's own address.
        principal: The identity behind it, None for the owner of the account.
        is_by_rid: Whether it came by resource ids.
        strike: The fault that strikes it, if one does.
    """

    verb: str
    segments: tuple[str, ...]
    headers: Mapping[str, str]
    body: bytes
    account: Account
    endpoint: str
    principal: Principal | None = None
    is_by_rid: bool = False
    strike: Strike | None = None

    @property
    def shape(self) -> str:
        """The path with `*` for ids: `dbs/*/colls`."""
        return "/".join("*" if nth % 2 else name for nth, name in enumerate(self.segments))

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids of the path, the outermost first."""
        return self.segments[1::2]

    def container(self) -> Container:
        """The container that the request is about, or whose items it is about.

        Raises:
            ServiceError: 404/1003; 400/1024 where the client means one that was there before.
        """
        found = self.account.owner(self.ids[0], self.ids[1])
        if self.headers.get("x-ms-cosmos-intended-collection-rid", found.rid) != found.rid:
            raise bad_request(
                "The container was deleted and created anew since the client read it.",
                sub_status=_RID_MISMATCH,
            )
        return found

    def flag(self, name: str) -> bool:
        """Whether a header says true."""
        return self.headers.get(name, "").lower() == "true"

    @property
    def minimal(self) -> bool:
        """Whether the client wants no body of what it writes."""
        return "return=minimal" in self.headers.get("prefer", "")

    def whole_number(self, name: str) -> int | None:
        """A header's number; None without the header.

        Raises:
            ServiceError: 400.
        """
        text = self.headers.get(name)
        try:
            return int(text) if text else None
        except ValueError:
            raise bad_request(f"Header {name} must be a whole number.") from None

    @property
    def session_token(self) -> str:
        """What the client has seen; empty where it does not say."""
        return self.headers.get("x-ms-session-token", "")

    def page_size(self, default: int) -> int:
        """How many results the client wants at most; it may leave that to the server."""
        wanted = self.whole_number("x-ms-max-item-count")
        return wanted if wanted is not None and wanted > 0 else default

    def json(self) -> Any:  # noqa: ANN401 - any JSON
        """The body.

        Raises:
            ServiceError: 400.
        """
        try:
            return decode(self.body)
        except ValueError:
            raise bad_request("The request's body is no valid JSON.") from None

    def json_object(self) -> dict[str, Any]:
        """The body, which must be an object.

        Raises:
            ServiceError: 400.
        """
        body = self.json()
        if not isinstance(body, dict):
            raise bad_request("The request's body must be a JSON object.")
        return body


@dataclass(frozen=True, kw_only=True)
class Answer:
    """An answer; `body` is JSON text, None where there is none.

    Attributes:
        throttled: Operations of the request that were refused with 429.
    """

    status: int = OK
    body: str | None = None
    charge: float = 1.0
    throttled: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)


def token(text: str) -> int | None:
    """The number in a continuation token of this server; None if it is none of them."""
    fits = text.isascii() and text.isdecimal() and len(text) <= _LONGEST_TOKEN
    return int(text) if fits else None


def resource(content: object, status: int = OK, etag: str | None = None) -> Answer:
    """An answer with a value as JSON."""
    return Answer(
        status=status, body=encode(content), headers={} if etag is None else {"etag": etag}
    )


def refusal(error: ServiceError) -> Answer:
    """An error, with its status and sub-status as the service says them."""
    headers = dict(error.headers)
    if error.sub_status:
        headers["x-ms-substatus"] = str(error.sub_status)
    if error.retry_after_ms is not None:
        headers["x-ms-retry-after-ms"] = str(error.retry_after_ms)
    content = {"code": error.code, "message": error.message}
    if error.additional is not None:
        content["additionalErrorInfo"] = error.additional
    body = encode(content)
    throttled = int(error.status == TOO_MANY_REQUESTS)
    return Answer(
        status=error.status, body=body, charge=error.charge, throttled=throttled, headers=headers
    )


def progress(
    partition: Partition, etag: str | None = None, lsn: int | None = None
) -> dict[str, str]:
    """Return the headers that name the progress of a physical partition, and an ETag.

    Args:
        partition: The partition that was read or written.
        etag: The item's or page's ETag.
        lsn: The last LSN of the replica that was read, None for the partition's own.
    """
    at = partition.lsn if lsn is None else lsn
    headers = {
        "x-ms-session-token": session_token(partition.range.id, at),
        "x-ms-documentdb-partitionkeyrangeid": partition.range.id,
        "lsn": str(at),
    }
    if etag is not None:
        headers["etag"] = etag
    return headers


def page(container: Container, bodies: list[str]) -> str:
    """A page of items from their JSON texts."""
    return f'{{"_rid":"{container.rid}","Documents":[{",".join(bodies)}],"_count":{len(bodies)}}}'
