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

Json = dict[str, Any]


class CosmosError(Exception):
    """Cosmos DB refused a request, or gave no answer (status 0)."""

    def __init__(self, doing: str, status: int, sub_status: int = 0) -> None:
        answer = f"Cosmos DB answered {status}/{sub_status}" if status else "Cosmos DB is away"
        super().__init__(f"{doing}: {answer}.")
        self.status = status
        self.sub_status = sub_status


@dataclass(frozen=True, kw_only=True)
class Answer:
    """A status below 400, with the headers and the JSON body (empty where there is none)."""

    status: int
    headers: Mapping[str, str]
    body: Json


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
            for document in answer.body["Documents"]:
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
            status, fields, content = await self._once(method, path, (kind, owner), headers, body)
            sub_status = int(fields.get("x-ms-substatus", 0))
            self._session_tokens.record(path, fields.get("x-ms-session-token"))
            if status == _THROTTLED:
                hint = fields.get("x-ms-retry-after-ms")
                await asyncio.sleep(int(hint) / 1000 if hint else _WITHOUT_HINT)
                continue
            lost = (status, sub_status) == _SESSION_NOT_AVAILABLE
            if not (lost and self._session_tokens.discard(path)):
                break
        if status >= 400:  # noqa: PLR2004 - HTTP: an error
            raise CosmosError(f"{method} {path}", status, sub_status)
        return Answer(status=status, headers=fields, body=json.loads(content) if content else {})

    async def _once(
        self,
        method: str,
        path: str,
        resource: tuple[str, str],
        headers: Mapping[str, str],
        body: Json | None,
    ) -> tuple[int, Mapping[str, str], bytes]:
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
                return response.status, response.headers, await response.read()
        except (aiohttp.ClientError, asyncio.TimeoutError):
            raise CosmosError(f"{method} {path}", 0) from None

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


def _kind(path: str) -> str:
    segments = path.split("/")
    return segments[-1] if _is_list(path) else segments[-2]


def _is_list(path: str) -> bool:
    return len(path.split("/")) % 2 == 1
