"""A small REST client for what the trigger does: the SDK hides its tokens and its 410s."""

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
_REQUEST_SECONDS = 65.0
_WITHOUT_HINT = 1.0
_MAX_RETRY_AFTER_SECONDS = 30.0
"""As the SDKs wait at most for one throttled request."""

Json = dict[str, Any]


class CosmosError(Exception):
    """Cosmos DB returned an error, or no usable answer (status 0)."""

    def __init__(self, action: str, status: int, sub_status: int = 0, problem: str = "") -> None:
        problem = problem or f"Cosmos DB answered {status}/{sub_status}"
        super().__init__(f"{action}: {problem}.")
        self.status = status
        self.sub_status = sub_status


@dataclass(frozen=True, kw_only=True)
class Answer:
    """An answer with a status below 400; its parts are looked up so that none can be missing.

    Attributes:
        action: The request, for messages.
        status: The HTTP status.
        headers: The headers.
        body: The members of the JSON body; none where there is no body.
    """

    action: str
    status: int
    headers: Mapping[str, str]
    body: Json

    def header(self, name: str) -> str:
        """Return a header.

        Raises:
            CosmosError: If the answer does not have it.
        """
        value = self.headers.get(name)
        if value is None:
            raise self.unusable(f"without the header {name}")
        return value

    def text(self, name: str) -> str:
        """Return a member that is a string.

        Raises:
            CosmosError: If it is not one.
        """
        value = self.body.get(name)
        if not isinstance(value, str):
            raise self.unusable(f"without a string {name}")
        return value

    def objects(self, name: str, *texts: str) -> list[Json]:
        """Return a member that is a list of objects, each with these members as strings.

        Raises:
            CosmosError: If it is not one.
        """
        values = self.body.get(name)
        if not isinstance(values, list) or not all(_has_texts(value, texts) for value in values):
            raise self.unusable(f"without a list {name} as it should be")
        return values

    def unusable(self, problem: str) -> CosmosError:
        """Return the error for an answer in which something is wrong."""
        return CosmosError(self.action, 0, problem=f"Cosmos DB answered {self.status} {problem}")


class CosmosRest:
    """Signed requests to one account; an account that throttles is waited for."""

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

    async def read(self, link: str, headers: Mapping[str, str] | None = None) -> Answer:
        """GET a resource, or a list of resources of the last segment's type."""
        return await self._send("GET", link, link, headers or {}, None)

    async def create(self, container: str, document: Json) -> Answer:
        """POST a new document."""
        headers = {"x-ms-documentdb-partitionkey": json.dumps([document["id"]])}
        return await self._send("POST", f"{container}/docs", container, headers, document)

    async def replace(self, container: str, document: Json, etag: str) -> Answer:
        """PUT a document in place of the version with this ETag."""
        headers = {
            "x-ms-documentdb-partitionkey": json.dumps([document["id"]]),
            "if-match": etag,
        }
        link = f"{container}/docs/{document['id']}"
        return await self._send("PUT", link, link, headers, document)

    async def read_document(self, container: str, document_id: str) -> Answer:
        """GET a document whose partition key is its id."""
        link = f"{container}/docs/{document_id}"
        headers = {"x-ms-documentdb-partitionkey": json.dumps([document_id])}
        return await self._send("GET", link, link, headers, None)

    async def delete(self, container: str, document_id: str) -> None:
        """DELETE a document whose partition key is its id."""
        link = f"{container}/docs/{document_id}"
        headers = {"x-ms-documentdb-partitionkey": json.dumps([document_id])}
        await self._send("DELETE", link, link, headers, None)

    async def query(
        self, container: str, text: str, parameters: Mapping[str, Any]
    ) -> AsyncIterator[Json]:
        """All results of a query over the whole container."""
        body = {
            "query": text,
            "parameters": [{"name": name, "value": each} for name, each in parameters.items()],
        }
        headers = {
            "x-ms-documentdb-isquery": "true",
            "x-ms-documentdb-query-enablecrosspartition": "true",
            "content-type": "application/query+json",
        }
        while True:
            answer = await self._send("POST", f"{container}/docs", container, headers, body)
            for document in answer.objects("Documents"):
                yield document
            if not answer.headers.get("x-ms-continuation"):
                return
            headers["x-ms-continuation"] = answer.headers["x-ms-continuation"]

    async def _send(
        self, method: str, path: str, link: str, headers: Mapping[str, str], body: Json | None
    ) -> Answer:
        kind = _kind(path)
        owner = link if path == link and not _is_list(path) else link.removesuffix(f"/{kind}")
        while True:
            answer = await self._once(method, path, (kind, owner), headers, body)
            if answer.status != _THROTTLED:
                break
            await asyncio.sleep(_retry_after_seconds(answer.headers))
        action = f"{method} {path}"
        if answer.status >= 400:  # noqa: PLR2004 - HTTP: an error
            sub_status = _number(answer.headers, "x-ms-substatus") or 0
            raise CosmosError(action, answer.status, int(sub_status))
        return Answer(
            action=action,
            status=answer.status,
            headers=answer.headers,
            body=_members(action, answer),
        )

    async def _once(
        self,
        method: str,
        path: str,
        resource: tuple[str, str],
        headers: Mapping[str, str],
        body: Json | None,
    ) -> _RawAnswer:
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
            async with self._open().request(method, url, headers=signed, data=content) as response:
                return _RawAnswer(response.status, response.headers, await response.read())
        except asyncio.TimeoutError:
            problem = f"no answer within {_REQUEST_SECONDS:.0f} s"
        except (aiohttp.ClientError, ValueError) as error:  # ValueError: impossible in a header
            problem = f"no usable answer ({type(error).__name__})"  # its text may hold a payload
        raise CosmosError(f"{method} {path}", 0, problem=problem)

    def _signature(self, method: str, kind: str, link: str, date: str) -> str:
        text = f"{method.lower()}\n{kind}\n{link}\n{date.lower()}\n\n"
        digest = hmac.new(self._key, text.encode(), hashlib.sha256).digest()
        signature = base64.b64encode(digest).decode()
        return quote(f"type=master&ver=1.0&sig={signature}", safe="")

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            local = any(host in self._endpoint for host in ("//localhost", "//127.0.0.1"))
            self._session = aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=_REQUEST_SECONDS),
                connector=aiohttp.TCPConnector(ssl=not local),
            )
        return self._session


@dataclass(frozen=True)
class _RawAnswer:
    """An answer as it was received."""

    status: int
    headers: Mapping[str, str]
    content: bytes


def _members(action: str, answer: _RawAnswer) -> Json:
    """Return the members of a JSON body; none where there is no body.

    Raises:
        CosmosError: If the body is not a JSON object.
    """
    if not answer.content:
        return {}
    try:
        body = json.loads(answer.content)
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict):
        problem = f"Cosmos DB answered {answer.status} with a body that is not a JSON object"
        raise CosmosError(action, 0, problem=problem)
    return body


def _has_texts(value: object, names: tuple[str, ...]) -> bool:
    return isinstance(value, dict) and all(isinstance(value.get(name), str) for name in names)


def _retry_after_seconds(headers: Mapping[str, str]) -> float:
    """Return how long a throttled request waits: as told, within limits."""
    milliseconds = _number(headers, "x-ms-retry-after-ms")
    seconds = _WITHOUT_HINT if milliseconds is None else milliseconds / 1000
    return min(max(0.0, seconds), _MAX_RETRY_AFTER_SECONDS)


def _number(headers: Mapping[str, str], name: str) -> int | None:
    """Return a header as a number; None where it is missing or is none."""
    try:
        return int(headers[name])
    except (KeyError, ValueError):
        return None


def _kind(path: str) -> str:
    segments = path.split("/")
    return segments[-1] if _is_list(path) else segments[-2]


def _is_list(path: str) -> bool:
    return len(path.split("/")) % 2 == 1
