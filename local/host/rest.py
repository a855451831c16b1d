"""A REST client for the requests of the trigger, because the SDK hides its tokens and 410s."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
from dataclasses import dataclass
from email.utils import formatdate
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import aiohttp

from local.host.sessions import SessionTokens

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from local.host.settings import Account

_VERSION = "2018-12-31"
_THROTTLED = 429
_SESSION_NOT_AVAILABLE = (404, 1002)
_REQUEST_TIMEOUT_SECONDS = 65.0
_DEFAULT_RETRY_AFTER_SECONDS = 1.0
_MAX_RETRY_AFTER_SECONDS = 30.0
"""The maximum delay of the SDKs for one throttled request."""

Json = dict[str, Any]


class CosmosRestError(Exception):
    """Cosmos DB returned an error, or no valid response (status 0)."""

    def __init__(self, action: str, status: int, sub_status: int = 0, problem: str = "") -> None:
        problem = problem or f"Cosmos DB returned {status}/{sub_status}"
        super().__init__(f"{action}: {problem}.")
        self.status = status
        self.sub_status = sub_status


@dataclass(frozen=True, kw_only=True)
class RestResponse:
    """A response with a status below 400, whose methods raise an error for missing parts.

    Attributes:
        action: The request, for messages.
        status: The HTTP status.
        headers: The headers.
        body: The members of the JSON body, if it has one.
    """

    action: str
    status: int
    headers: Mapping[str, str]
    body: Json

    def header(self, name: str) -> str:
        """Return a header.

        Raises:
            CosmosRestError: If the response has no such header.
        """
        value = self.headers.get(name)
        if value is None:
            raise self.format_error(f"without the header {name}")
        return value

    def text(self, name: str) -> str:
        """Return a member that is a string.

        Raises:
            CosmosRestError: If it is not a string.
        """
        value = self.body.get(name)
        if not isinstance(value, str):
            raise self.format_error(f"without a string {name}")
        return value

    def objects(self, name: str, *members: str) -> list[Json]:
        """Return a member that is a list of objects with the given string members.

        Raises:
            CosmosRestError: If it is not such a list.
        """
        values = self.body.get(name)
        if not isinstance(values, list) or not all(
            _has_strings(value, members) for value in values
        ):
            raise self.format_error(f"without a valid list {name}")
        return values

    def format_error(self, problem: str) -> CosmosRestError:
        """Return the error for a response that is invalid."""
        return CosmosRestError(
            self.action, 0, problem=f"Cosmos DB returned {self.status} {problem}"
        )


class CosmosRestClient:
    """Sends signed requests to one account, and retries throttled ones after their delay.

    Args:
        account: The account.
    """

    def __init__(self, account: Account) -> None:
        self._endpoint = account.endpoint
        self._key = base64.b64decode(account.key)
        self._session: aiohttp.ClientSession | None = None
        self._session_tokens = SessionTokens()

    async def close(self) -> None:
        """Close the connections."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def read(self, link: str, headers: Mapping[str, str] | None = None) -> RestResponse:
        """Return the response to GET of a resource, or of a list of resources."""
        return await self._send("GET", link, link, headers or {}, None)

    async def create(self, container: str, document: Json) -> RestResponse:
        """Create a document."""
        headers = {"x-ms-documentdb-partitionkey": json.dumps([document["id"]])}
        return await self._send("POST", f"{container}/docs", container, headers, document)

    async def replace(self, container: str, document: Json, etag: str) -> RestResponse:
        """Replace a document if the stored one has this ETag."""
        headers = {
            "x-ms-documentdb-partitionkey": json.dumps([document["id"]]),
            "if-match": etag,
        }
        link = f"{container}/docs/{document['id']}"
        return await self._send("PUT", link, link, headers, document)

    async def read_document(self, container: str, document_id: str) -> RestResponse:
        """Read a document whose partition key is its id."""
        link = f"{container}/docs/{document_id}"
        headers = {"x-ms-documentdb-partitionkey": json.dumps([document_id])}
        return await self._send("GET", link, link, headers, None)

    async def delete(self, container: str, document_id: str) -> None:
        """Delete a document whose partition key is its id."""
        link = f"{container}/docs/{document_id}"
        headers = {"x-ms-documentdb-partitionkey": json.dumps([document_id])}
        await self._send("DELETE", link, link, headers, None)

    async def query(
        self, container: str, text: str, parameters: Mapping[str, Any]
    ) -> AsyncIterator[Json]:
        """Yield the results of a query over all partitions of a container."""
        body = {
            "query": text,
            "parameters": [{"name": name, "value": value} for name, value in parameters.items()],
        }
        headers = {
            "x-ms-documentdb-isquery": "true",
            "x-ms-documentdb-query-enablecrosspartition": "true",
            "content-type": "application/query+json",
        }
        while True:
            response = await self._send("POST", f"{container}/docs", container, headers, body)
            for document in response.objects("Documents"):
                yield document
            if not response.headers.get("x-ms-continuation"):
                return
            headers["x-ms-continuation"] = response.headers["x-ms-continuation"]

    async def _send(
        self, method: str, path: str, link: str, headers: Mapping[str, str], body: Json | None
    ) -> RestResponse:
        kind = _kind(path)
        owner = link if path == link and not _is_list(path) else link.removesuffix(f"/{kind}")
        while True:
            response = await self._send_once(method, path, (kind, owner), headers, body)
            self._session_tokens.record(path, response.headers.get("x-ms-session-token"))
            sub_status = _number(response.headers, "x-ms-substatus") or 0
            is_ahead = (response.status, sub_status) == _SESSION_NOT_AVAILABLE
            if response.status == _THROTTLED:
                await asyncio.sleep(_retry_after_seconds(response.headers))
            elif not (is_ahead and self._session_tokens.discard(path)):
                break
        action = f"{method} {path}"
        if response.status >= 400:  # noqa: PLR2004 - HTTP: an error
            raise CosmosRestError(action, response.status, sub_status)
        return RestResponse(
            action=action,
            status=response.status,
            headers=response.headers,
            body=_parse_body(action, response),
        )

    async def _send_once(
        self,
        method: str,
        path: str,
        resource: tuple[str, str],
        headers: Mapping[str, str],
        body: Json | None,
    ) -> _RawResponse:
        date = formatdate(usegmt=True)
        signed = {
            "x-ms-date": date,
            "x-ms-version": _VERSION,
            "authorization": self._signature(method, *resource, date),
            **headers,
        }
        if token := self._session_tokens.for_path(path):
            signed["x-ms-session-token"] = token
        content = None if body is None else json.dumps(body).encode()
        url = f"{self._endpoint}/{quote(path)}"
        try:
            async with self._open_session().request(
                method, url, headers=signed, data=content
            ) as response:
                return _RawResponse(response.status, response.headers, await response.read())
        except asyncio.TimeoutError:
            problem = f"no response within {_REQUEST_TIMEOUT_SECONDS:.0f} s"
        except (aiohttp.ClientError, ValueError) as error:  # ValueError: an invalid header
            problem = f"no valid response ({type(error).__name__})"  # its text may hold a payload
        raise CosmosRestError(f"{method} {path}", 0, problem=problem)

    def _signature(self, method: str, kind: str, link: str, date: str) -> str:
        text = f"{method.lower()}\n{kind}\n{link}\n{date.lower()}\n\n"
        digest = hmac.new(self._key, text.encode(), hashlib.sha256).digest()
        signature = base64.b64encode(digest).decode()
        return quote(f"type=master&ver=1.0&sig={signature}", safe="")

    def _open_session(self) -> aiohttp.ClientSession:
        if self._session is None:
            local = any(host in self._endpoint for host in ("//localhost", "//127.0.0.1"))
            self._session = aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=_REQUEST_TIMEOUT_SECONDS),
                connector=aiohttp.TCPConnector(ssl=not local),
            )
        return self._session


@dataclass(frozen=True)
class _RawResponse:
    """A response before its body is parsed."""

    status: int
    headers: Mapping[str, str]
    content: bytes


def _parse_body(action: str, response: _RawResponse) -> Json:
    """Return the members of the JSON body, if there is one.

    Raises:
        CosmosRestError: If the body is not a JSON object.
    """
    if not response.content:
        return {}
    try:
        body = json.loads(response.content)
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict):
        problem = f"Cosmos DB returned {response.status} with a body that is not a JSON object"
        raise CosmosRestError(action, 0, problem=problem)
    return body


def _has_strings(value: object, names: tuple[str, ...]) -> bool:
    return isinstance(value, dict) and all(isinstance(value.get(name), str) for name in names)


def _retry_after_seconds(headers: Mapping[str, str]) -> float:
    """Return the delay before a throttled request is retried, within limits."""
    milliseconds = _number(headers, "x-ms-retry-after-ms")
    seconds = _DEFAULT_RETRY_AFTER_SECONDS if milliseconds is None else milliseconds / 1000
    return min(max(0.0, seconds), _MAX_RETRY_AFTER_SECONDS)


def _number(headers: Mapping[str, str], name: str) -> int | None:
    """Return the number in a header, or None if it is missing or not a number."""
    try:
        return int(headers[name])
    except (KeyError, ValueError):
        return None


def _kind(path: str) -> str:
    segments = path.split("/")
    return segments[-1] if _is_list(path) else segments[-2]


def _is_list(path: str) -> bool:
    return len(path.split("/")) % 2 == 1
